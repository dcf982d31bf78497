import { createHash, randomBytes } from 'node:crypto'
import { iso } from '../../../lib/iso.ts'
import type { Ctx, TxCtx } from '../../../platform/context.ts'
import type { Problem } from '../../../platform/errors.ts'
import type { Method } from '../events.ts'
import * as store from './challenge-store.ts'
import { errors } from './errors.ts'
import { mfaRequired } from './events.ts'
import type { Ceremony } from '../passkeys/challenge.ts'
import { check, type Given, requirement } from './mfa.ts'

const prefix = 'mlrm_'
const form = /^mlrm_[A-Za-z0-9_-]{43}$/
const life_ms = 600_000
const wrong_tries = 5

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')
/** Ways of signing in that are, or contain, a second factor, and those that begin an account, which has none yet. */
const complete: ReadonlySet<Method> = new Set<Method>(['mfa', 'passkey', 'registration', 'setup', 'impersonation'])

/**
 * What a sign-in whose first factor was right still has to show: null when nothing, else the problem to answer with once the
 * transaction is committed: 401 `auth.mfa_required` with a challenge or, where a code was given already, what is wrong with it.
 */
export const demand = async (
  tx: TxCtx,
  signIn: { readonly user_id: string; readonly method: Method; readonly remember_me: boolean; readonly given?: Given | undefined },
): Promise<Problem | null> => {
  const { user_id, method, remember_me, given = {} } = signIn
  if (complete.has(method)) return null
  const methods = await requirement(tx, user_id)
  if (methods === null) return null
  if (Object.values(given).some((value) => value !== undefined)) return check(tx, user_id, given)
  const challenge = prefix + randomBytes(32).toString('base64url')
  const expires_at = iso(tx.now() + life_ms)
  await store.insertChallenge(tx.db, {
    token_hash: hashOf(challenge),
    user_id,
    method,
    remember_me,
    created_at: iso(tx.now()),
    expires_at,
  })
  tx.emit(mfaRequired, { user_id, method, address: tx.client?.address ?? null, user_agent: tx.client?.user_agent ?? null })
  return errors.mfa_required({ extra: { challenge, methods: [...methods], expires_at } })
}

export interface OpenChallenge {
  readonly user_id: string
  readonly remember_me: boolean
}

/** Whose sign-in a challenge belongs to. 401 `auth.mfa_challenge_invalid`. Needs the system's scope. */
export const look = async (ctx: Ctx, challenge: string): Promise<OpenChallenge> => {
  const row = form.test(challenge) ? await store.findChallenge(ctx.db, hashOf(challenge), iso(ctx.now())) : undefined
  if (row === undefined) throw errors.mfa_challenge_invalid()
  return row
}

/**
 * Answers a challenge: null when the factor is right, and then the challenge is used up; else the problem to throw once the transaction is
 * committed. The fifth mistake ends the challenge.
 */
export const answer = async (tx: TxCtx, challenge: string, given: Given): Promise<Problem | null> => {
  const token_hash = hashOf(challenge)
  const row = await store.lockChallenge(tx.db, token_hash, iso(tx.now()))
  if (row === undefined) return errors.mfa_challenge_invalid()
  const refused = await check(tx, row.user_id, given)
  if (refused === null) return (await store.takeChallenge(tx.db, token_hash)) ? null : errors.mfa_challenge_invalid()
  if (row.wrong_tries + 1 >= wrong_tries) await store.takeChallenge(tx.db, token_hash)
  else await store.countWrongTry(tx.db, token_hash, row.wrong_tries + 1)
  return refused
}

/** What a passkey signs that answers a challenge. */
export const ceremonyOf = (challenge: string): Ceremony => ({ purpose: 'second_factor', binding: hashOf(challenge) })

/** Ends the sign-ins of a user that wait for a second factor. */
export const endOfUser = (tx: TxCtx, user_id: string): Promise<void> => store.deleteChallenges(tx.db, user_id)
