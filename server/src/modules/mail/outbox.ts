import { Type } from 'typebox'
import type { Ctx } from '../../platform/context.ts'
import { keyset, type Page, type PageQuery } from '../../platform/http/paging.ts'
import { bodyOf } from './delivery.ts'
import { errors } from './errors.ts'
import { read } from './events.ts'
import type { Mail, MailSummary } from './schema.ts'
import * as store from './store.ts'

const byId = keyset(Type.String({ format: 'uuid' }))

/** The mails of the last thirty days, those of all workspaces: for who may read them. */
export const list = async (ctx: Ctx, query: PageQuery & store.MailFilter): Promise<Page<MailSummary>> => {
  const { status, kind, recipient, limit, order, total } = query
  const { db } = ctx.asSystem('an admin looks at the mails')
  const filter = { status, kind, recipient }
  const [rows, counted] = await Promise.all([
    store.listMails(db, filter, { after: byId.after(query), limit: limit + 1, descending: order === 'desc' }),
    total === true ? store.countMails(db, filter) : undefined,
  ])
  return byId.page(rows, limit, ({ id }) => id, counted)
}

/** One mail with what stands in it, as long as it has not been sent. Leaves a trace. Errors: 404 `mail.not_found`. */
export const get = async (ctx: Ctx, id: string): Promise<Mail> => {
  const mail = await store.mailById(ctx.asSystem('an admin looks at a mail').db, id)
  if (mail === undefined) throw errors.not_found()
  const { body, message_id: _, ...summary } = mail
  if (body === null) return { ...summary, text: null, html: null }
  await ctx
    .asSystem('an admin reads a mail', mail.workspace_id ?? undefined)
    .tx((tx) => Promise.resolve(tx.emit(read, { mail_id: id, kind: mail.kind })))
  return { ...summary, ...(await bodyOf(ctx, mail)) }
}
