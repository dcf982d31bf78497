import { Type } from 'typebox'
import { defineJob, later } from '../../engine/job.ts'
import { jobs } from '../../engine/jobs.ts'
import { NodeFailure } from '../../engine/node.ts'
import { iso } from '../../lib/iso.ts'
import type { App, Ctx, TxCtx } from '../../platform/context.ts'
import { defineConsumer } from '../../platform/events/consumer.ts'
import { secrets } from '../../platform/secrets.ts'
import * as events from './events.ts'
import { type Refusal, refusalOf } from './refusal.ts'
import { smtp } from './smtp.ts'
import * as store from './store.ts'
import type { MailRow } from './store.ts'

const hour_ms = 3_600_000
const day_ms = 24 * hour_ms

/** Mails of one kind to one address within an hour. */
const most_per_hour = 10

/**
 * Takes each mail that was put into the post on its way: one process at a time and in order, which is what makes the limit per recipient
 * exact. An event may come twice, and then starts a second delivery, which finds the mail taken.
 */
export const postQueued = defineConsumer({
  name: 'mail.post',
  delivery: 'durable',
  events: [events.queued.name],
  handle: async (app, news) => {
    const going: MailRow[] = []
    for (const { workspace_id, data } of news) {
      const ctx = app.asSystem('mails are sorted', workspace_id ?? undefined)
      const mail = await ctx.tx((tx) => sort(tx, (data as { mail_id: string }).mail_id))
      if (mail !== null) going.push(mail)
    }
    await Promise.all(going.map(({ id, workspace_id }) => app.use(jobs).start({ job: deliver, workspace_id, input: { mail_id: id } })))
  },
})

/** The mail, if it is to be delivered. */
const sort = async (tx: TxCtx, id: string): Promise<MailRow | null> => {
  const mail = await store.lockQueued(tx.db, id)
  if (mail === undefined) return null
  const before = await store.countBefore(tx.db, mail, iso(Date.parse(mail.created_at) - hour_ms))
  if (before >= most_per_hour) {
    await store.endMail(tx.db, id, {
      status: 'dropped',
      error: `more than ${most_per_hour} of this kind within an hour`,
      attempted: false,
      at: iso(tx.now()),
    })
    tx.emit(events.dropped, { mail_id: id, kind: mail.kind })
    return null
  }
  if (tx.use(smtp) !== null) return mail
  await keep(tx, id)
  return null
}

const keep = (tx: TxCtx, id: string): Promise<boolean> =>
  store.endMail(tx.db, id, { status: 'kept', error: null, attempted: false, at: iso(tx.now()) })

/** So long a mail is tried; the pauses grow from half a minute to an hour. */
const patience_ms = day_ms

export const deliver = defineJob({
  name: 'mail.deliver',
  doc: 'Hands a mail to the SMTP server, and tries again for a day while that cannot take it.',
  input: Type.Object({ mail_id: Type.String({ format: 'uuid' }) }),
  retry: { max_attempts: 100, delay_ms: 30_000, max_delay_ms: hour_ms },
  timeout_ms: 15 * 60_000,
  run: async (ctx, { input, execution_id, signal }) => {
    const post = ctx.use(smtp)
    const mail = await ctx.tx((tx) => store.claimMail(tx.db, input.mail_id, execution_id))
    if (mail === undefined) return 'not to be delivered'
    if (post === null) {
      await ctx.tx((tx) => keep(tx, mail.id))
      return 'kept'
    }
    // Who cannot be served soon holds no place meanwhile.
    if (post.crowded()) throw later(10_000 + Math.random() * 20_000)
    const { text, html } = await bodyOf(ctx, mail)
    const { message_id, recipient, subject, created_at } = mail
    try {
      await post.send({ message_id, recipient, subject, text, html, date: created_at }, signal)
    } catch (error) {
      signal.throwIfAborted()
      return await refused(ctx, mail, refusalOf(error))
    }
    await ctx.tx(async (tx) => {
      if (!(await store.endMail(tx.db, mail.id, { status: 'sent', error: null, attempted: true, at: iso(tx.now()) }))) return
      tx.emit(events.sent, { mail_id: mail.id, kind: mail.kind })
    })
    return 'sent'
  },
})

const refused = async (ctx: Ctx, mail: MailRow, refusal: Refusal): Promise<string> => {
  const { permanent, reply, reason, wait_ms } = refusal
  const over = ctx.now() - Date.parse(mail.created_at) >= patience_ms
  if (permanent || over) {
    await ctx.tx((tx) => fail(tx, mail, { reason, reply, attempted: true }))
    return 'failed'
  }
  await ctx.tx((tx) => store.noteAttempt(tx.db, mail.id, reason, iso(tx.now())))
  ctx.log.warn({ mail_id: mail.id, reply, reason }, 'the SMTP server did not take a mail; it is tried again')
  throw new NodeFailure({
    code: 'mail.not_taken',
    message: 'The SMTP server did not take the mail',
    retryable: true,
    retry_after_ms: wait_ms,
  })
}

const fail = async (
  tx: TxCtx,
  mail: Pick<MailRow, 'id' | 'kind'>,
  why: { readonly reason: string; readonly reply: number | null; readonly attempted: boolean },
): Promise<void> => {
  const { reason, reply, attempted } = why
  if (!(await store.endMail(tx.db, mail.id, { status: 'failed', error: reason, attempted, at: iso(tx.now()) }))) return
  tx.emit(events.failed, { mail_id: mail.id, kind: mail.kind, reply })
}

/** What stands in a mail. */
export const bodyOf = async (
  app: App,
  mail: Pick<MailRow, 'id' | 'body'>,
): Promise<{ readonly text: string; readonly html: string | null }> => {
  if (mail.body === null) throw new Error(`the mail ${mail.id} has no body any more`)
  return JSON.parse(await app.use(secrets).open(`mails/${mail.id}`, mail.body)) as { text: string; html: string | null }
}

const kept_ms = 30 * day_ms

export const tidy = defineJob({
  name: 'mail.tidy',
  doc: 'Removes mails older than thirty days, and gives up those whose delivery has come to nothing.',
  input: Type.Object({}),
  recurring: { every_ms: day_ms, input: {} },
  run: async (ctx) => {
    for (const mail of await ctx.tx((tx) => store.staleMails(tx.db, iso(tx.now() - 3 * day_ms)))) {
      const reason = 'it was on its way for three days'
      await ctx
        .asSystem('a mail is given up', mail.workspace_id ?? undefined)
        .tx((tx) => fail(tx, mail, { reason, reply: null, attempted: false }))
    }
    let removed = 0
    for (let mails = 1; mails > 0; removed += mails) {
      mails = await ctx.tx(async (tx) => {
        const count = await store.removeOld(tx.db, iso(tx.now() - kept_ms))
        if (count > 0) tx.emit(events.expired, { mails: count })
        return count
      })
    }
    return { removed }
  },
})
