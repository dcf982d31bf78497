import { iso } from '../../../lib/iso.ts'
import type { Ctx, TxCtx } from '../../../platform/context.ts'
import type { Problem } from '../../../platform/errors.ts'
import { secrets } from '../../../platform/secrets.ts'
import { checkAssertion } from '../passkeys/assertion.ts'
import type { Ceremony } from '../passkeys/challenge.ts'
import type { Assertion } from '../passkeys/schema.ts'
import * as passkeys from '../passkeys/store.ts'
import { errors } from './errors.ts'
import { mfaFailed, recoveryCodeUsed } from './events.ts'
import { tellOwner } from './letters.ts'
import * as recoveryCodes from './recovery-codes.ts'
import type { MfaStatus } from './schema.ts'
import * as store from './store.ts'
import * as totp from './totp.ts'

/** What an account can be asked for after its first factor. */
export type Factor = 'totp' | 'passkey' | 'recovery_code'

/** What somebody shows; of several, the first in this order is looked at. */
export interface Given {
  readonly totp?: string | undefined
  readonly recovery_code?: string | undefined
  readonly passkey?: { readonly assertion: Assertion; readonly ceremony: Ceremony } | undefined
}

/** One field may take either: six digits are a code of the app, anything else a recovery code. */
export const givenBy = (code: string | undefined): Given =>
  code === undefined ? {} : totp.readCode(code) === null ? { recovery_code: code } : { totp: code }

/** What a secret is sealed for. */
export const secretOf = (user_id: string): string => `identity/totp/${user_id}`

/** How an account may show its second factor; null when it has none. Needs the system's scope. */
export const requirement = async (ctx: Ctx, user_id: string): Promise<readonly Factor[] | null> => {
  const { totp: app, passkeys: count, recovery_codes_left } = await standing(ctx, user_id)
  const factors: Factor[] = [...(app.enabled ? (['totp'] as const) : []), ...(count > 0 ? (['passkey'] as const) : [])]
  if (factors.length === 0) return null
  return recovery_codes_left > 0 ? [...factors, 'recovery_code'] : factors
}

/** The second factors of an account. Needs the system's scope. */
export const standing = async (ctx: Ctx, user_id: string): Promise<Omit<MfaStatus, 'is_required'>> => {
  const [app, count, recovery_codes_left] = await Promise.all([
    store.totpOf(ctx.db, user_id),
    passkeys.countPasskeys(ctx.db, user_id),
    store.countCodes(ctx.db, user_id),
  ])
  const confirmed_at = app?.confirmed_at ?? null
  return { totp: { enabled: confirmed_at !== null, confirmed_at }, passkeys: count, recovery_codes_left }
}

/**
 * Looks at a second factor, and uses it up: null when it is right, else 401 `auth.mfa_invalid` or 429 `auth.mfa_blocked`. The caller commits
 * in either case and throws afterwards, so that what was wrong stays counted. Needs the system's scope.
 */
export const check = async (tx: TxCtx, user_id: string, given: Given): Promise<Problem | null> => {
  if (given.totp !== undefined) return checkTotp(tx, user_id, given.totp)
  if (given.recovery_code !== undefined) return checkRecoveryCode(tx, user_id, given.recovery_code)
  if (given.passkey !== undefined) return checkPasskey(tx, user_id, given.passkey)
  return errors.mfa_invalid({ detail: 'No second factor was given.' })
}

const checkTotp = async (tx: TxCtx, user_id: string, text: string): Promise<Problem | null> => {
  const row = await store.lockTotp(tx.db, user_id)
  if (row === undefined || row.confirmed_at === null) return errors.mfa_invalid()
  const now = tx.now()
  const until = totp.blockedUntil(row, now)
  if (until !== null) return blocked(until, now)
  const code = totp.readCode(text)
  const step = code === null ? null : totp.stepOf(await tx.use(secrets).open(secretOf(user_id), row.sealed_secret), code, now)
  if (step === null) {
    const guesses = totp.afterWrong(row, now)
    await store.setGuesses(tx.db, user_id, guesses)
    tx.emit(mfaFailed, { user_id, factor: 'totp', ...guesses })
    if (guesses.blocked_until !== null) await tellOwner(tx, user_id, 'mfa_blocked')
    return errors.mfa_invalid()
  }
  if (!(await store.useStep(tx.db, user_id, step))) {
    // Right once, and so no guess: it is refused, and does not count towards a block.
    tx.emit(mfaFailed, { user_id, factor: 'totp', ...unchanged(row) })
    return errors.mfa_invalid()
  }
  await store.setGuesses(tx.db, user_id, none)
  return null
}

const none: totp.Guesses = { wrong_in_a_row: 0, blocked_until: null }
const unchanged = ({ wrong_in_a_row, blocked_until }: totp.Guesses): totp.Guesses => ({ wrong_in_a_row, blocked_until })

const blocked = (until: number, now: number): Problem =>
  Number.isFinite(until)
    ? errors.mfa_blocked({ headers: { 'retry-after': String(Math.max(1, Math.ceil((until - now) / 1000))) } })
    : errors.mfa_blocked({ detail: 'Use a recovery code or a passkey, or ask an administrator.' })

const checkPasskey = async (tx: TxCtx, user_id: string, passkey: NonNullable<Given['passkey']>): Promise<Problem | null> => {
  const refused = await checkAssertion(tx, { ...passkey, user_id })
  if (refused !== null) return errors.mfa_invalid({ ...(refused.details.detail ? { detail: refused.details.detail } : {}), cause: refused })
  await store.setGuesses(tx.db, user_id, none)
  return null
}

const checkRecoveryCode = async (tx: TxCtx, user_id: string, text: string): Promise<Problem | null> => {
  if (recoveryCodes.readCode(text) === null || !(await store.useCode(tx.db, user_id, recoveryCodes.hashOf(user_id, text), iso(tx.now())))) {
    tx.emit(mfaFailed, { user_id, factor: 'recovery_code', ...none })
    return errors.mfa_invalid()
  }
  const left = await store.countCodes(tx.db, user_id)
  await store.setGuesses(tx.db, user_id, none)
  tx.emit(recoveryCodeUsed, { user_id, left })
  await tellOwner(tx, user_id, 'recovery_code_used', left === 0 ? 'There is none left: make new ones.' : `${left} are left.`)
  return null
}
