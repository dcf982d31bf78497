import { createHash } from 'node:crypto'
import type { App, Ctx } from '../context.ts'
import { Problem } from '../errors.ts'
import { secrets } from '../secrets.ts'
import type { Answer } from './answer.ts'
import type { Endpoint } from './endpoint.ts'
import { httpErrors } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { KeyOfRequest, StoredReply } from './idempotency-store.ts'
import { readIdempotencyKey } from './idempotency-key.ts'
import * as store from './idempotency-store.ts'

/** Works the request out: runs the handler on the given context and makes its answer. */
export type Work = (ctx: Ctx) => Promise<Answer>

const claim_ms = 120_000
const digest = (...parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  return hash.digest('base64url')
}

/** The key belongs to who sent it and to the route; a caller who is nobody yet is told apart by the address. */
const keyOf = (endpoint: Endpoint, exchange: Exchange, header: string | string[]): KeyOfRequest => {
  const { actor } = exchange
  const user_id = actor.type === 'user' ? actor.user_id : null
  const who = user_id ?? `address ${exchange.ip}`
  return {
    scope: digest(who, exchange.workspace_id ?? '', endpoint.name, readIdempotencyKey(header)),
    fingerprint: digest(exchange.url, exchange.body),
    user_id,
  }
}

/**
 * Answers a request that carries an `Idempotency-Key`: the stored reply when there is one, 409 while the first request runs,
 * 422 when the key was used for another request, else what `work` makes of it.
 *
 * A failure of ours (5xx) is no final outcome and is not stored. A refusal (4xx) wrote nothing, so it is stored on its own.
 */
export const withIdempotency = (
  endpoint: Endpoint,
  exchange: Exchange,
  ctx: Ctx,
  header: string | string[],
  work: Work,
): Promise<Answer> => {
  const key = keyOf(endpoint, exchange, header)
  return endpoint.route.idempotent === 'claimed'
    ? runClaimed(ctx, exchange, key, work, isFinal)
    : runInTransaction(ctx, exchange, key, work)
}

/** The same for a raw route, whose callers are not known: the key belongs to what is called. */
export const withRawIdempotency = (exchange: Exchange, ctx: Ctx, header: string | string[], work: Work): Promise<Answer> => {
  const key: KeyOfRequest = {
    scope: digest('', '', `${exchange.method} ${exchange.path}`, readIdempotencyKey(header)),
    fingerprint: digest(exchange.url, exchange.body),
    user_id: null,
  }
  return runClaimed(ctx, exchange, key, work, (error): error is Problem => error instanceof Problem && error.details.final === true)
}

/** Effects and stored reply commit together or not at all. */
const runInTransaction = async (ctx: Ctx, exchange: Exchange, key: KeyOfRequest, work: Work): Promise<Answer> => {
  let refusal: Problem | null = null
  try {
    return await ctx.tx(async (tx) => {
      refusal = null
      if (!(await store.tryLock(tx.db, key.scope))) throw httpErrors.idempotency_running(again)
      // Read after the lock is held, in a statement of its own: it sees what the holder before committed.
      const stored = await store.findReply(tx.db, key.scope, ctx.now())
      if (stored !== null) return replay(ctx, key, stored)
      const answer = await work(tx).catch((error: unknown) => {
        if (isFinal(error)) refusal = error
        throw error
      })
      await store.insertReply(tx.db, key, sealReply(ctx, key, answer), ctx.now())
      return answer
    })
  } catch (error) {
    if (refusal !== null) {
      const reply = sealReply(ctx, key, exchange.answerOf(refusal))
      await ctx.tx((tx) => store.insertReply(tx.db, key, reply, ctx.now()))
    }
    throw error
  }
}

const runClaimed = async (
  ctx: Ctx,
  exchange: Exchange,
  key: KeyOfRequest,
  work: Work,
  ends: (error: unknown) => error is Problem,
): Promise<Answer> => {
  const claim = ctx.newId()
  const before = await ctx.tx(async (tx) => {
    const now = ctx.now()
    if (await store.claimKey(tx.db, key, claim, now + claim_ms, now)) return null
    const stored = await store.findReply(tx.db, key.scope, now)
    if (stored === null) throw httpErrors.idempotency_running(again)
    return replay(ctx, key, stored)
  })
  if (before !== null) return before
  const settle = (answer: Answer): Promise<void> => ctx.tx((tx) => store.settleClaim(tx.db, key.scope, claim, sealReply(ctx, key, answer)))
  try {
    const answer = await work(ctx)
    await settle(answer)
    return answer
  } catch (error) {
    if (ends(error)) await settle(exchange.answerOf(error))
    else await ctx.tx((tx) => store.dropClaim(tx.db, key.scope, claim))
    throw error
  }
}

const again = { headers: { 'retry-after': '1' } }

/** Whether a repetition would be told the same: not a failure of ours, nor a matter of time. */
const isFinal = (error: unknown): error is Problem =>
  error instanceof Problem && error.declaration.status < 500 && error.declaration.status !== 429 && error.declaration.status !== 408

const contextOf = (key: KeyOfRequest): string => `idempotent_replies/${key.scope}`

const sealReply = (app: App, key: KeyOfRequest, answer: Answer): string => app.use(secrets).seal(contextOf(key), JSON.stringify(answer))

const replay = async (app: App, key: KeyOfRequest, stored: StoredReply): Promise<Answer> => {
  if (stored.fingerprint !== key.fingerprint) throw httpErrors.idempotency_mismatch()
  if (stored.reply === null) throw httpErrors.idempotency_running(again)
  const answer = JSON.parse(await app.use(secrets).open(contextOf(key), stored.reply)) as Answer
  return { ...answer, headers: { ...answer.headers, 'idempotency-replayed': 'true' } }
}

/** Removes expired replies once in a while: with every hundredth keyed request of this process. */
export const createSweeper = (app: App): (() => void) => {
  let requests = 0
  return () => {
    requests += 1
    if (requests % 100 !== 1) return
    const ctx = app.asSystem('stored replies to idempotent requests expire')
    ctx
      .tx((tx) => store.removeExpired(tx.db, ctx.now()))
      .catch((error: unknown) => app.log.warn({ err: error }, 'expired replies were not removed'))
  }
}
