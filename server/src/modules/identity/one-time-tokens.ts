import { createHash, randomBytes } from 'node:crypto'
import { iso } from '../../lib/iso.ts'
import type { Json } from '../../lib/json.ts'
import type { Ctx, TxCtx } from '../../platform/context.ts'
import * as users from '../users/users.ts'
import * as store from './one-time-store.ts'
import type { TokenRow } from './one-time-store.ts'

/** Recognisable in a leak, and never mistaken for a token or a key of another kind. */
const prefix = 'mlro_'
const form = /^mlro_[A-Za-z0-9_-]{43}$/

/** What a token is good for: lower case, `_`. Whoever gives tokens out chooses the word; it is checked when one is used. */
export type Purpose = string

/** What was kept with a token; it is gone, or will be with the commit. `created_at` is ISO 8601. */
export type OneTimeToken = TokenRow

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')
/**
 * Makes a token that works once, for `life_ms` milliseconds: 256 random bits, of which only the SHA-256 is kept. A new one of a purpose
 * for a user ends the older ones of that purpose, unless `beside_older` is set. Needs the system's scope. Nothing secret goes
 * into `data`: it is stored as it is.
 */
export const give = async (
  tx: TxCtx,
  input: {
    readonly purpose: Purpose
    readonly user_id: string | null
    readonly life_ms: number
    readonly data?: { readonly [field: string]: Json }
    readonly beside_older?: true
  },
): Promise<string> => {
  const { purpose, user_id, life_ms, data = {} } = input
  const token = prefix + randomBytes(32).toString('base64url')
  const now = tx.now()
  if (user_id !== null && input.beside_older === undefined) {
    // The account first, as whoever uses a token does: so neither waits for the other in a circle, and one at a time gives tokens out.
    await users.lock(tx, user_id)
    await store.deleteOfUser(tx.db, user_id, [purpose])
  }
  await store.deleteExpired(tx.db, iso(now))
  await store.insert(tx.db, { token_hash: hashOf(token), purpose, user_id, data, created_at: iso(now), expires_at: iso(now + life_ms) })
  return token
}

/**
 * Uses a token up, in the transaction of what it is used for: when that fails, the token stays good. Null for one that is unknown,
 * used, too old or of another purpose. Of many that come at once, one gets it. Needs the system's scope.
 */
export const take = async (tx: TxCtx, token: string, ...purposes: readonly Purpose[]): Promise<OneTimeToken | null> =>
  form.test(token) ? ((await store.take(tx.db, hashOf(token), purposes, iso(tx.now()))) ?? null) : null

/** What a token would give, without using it up: so that a guess costs no password hash. What counts is `take`. Needs the system's scope. */
export const look = async (ctx: Ctx, token: string, ...purposes: readonly Purpose[]): Promise<OneTimeToken | null> =>
  form.test(token) ? ((await store.find(ctx.db, hashOf(token), purposes, iso(ctx.now()))) ?? null) : null

/** Ends what a user has of these purposes, or of all. Needs the system's scope. */
export const endOfUser = (tx: TxCtx, user_id: string, purposes: readonly Purpose[] | 'all'): Promise<void> =>
  store.deleteOfUser(tx.db, user_id, purposes)
