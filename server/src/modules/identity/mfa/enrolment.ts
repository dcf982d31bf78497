import { iso } from '../../../lib/iso.ts'
import type { Ctx, TxCtx } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import { secrets } from '../../../platform/secrets.ts'
import { errors as userErrors } from '../../users/errors.ts'
import * as users from '../../users/users.ts'
import { passkeyRemoved } from '../passkeys/events.ts'
import { deletePasskeys } from '../passkeys/store.ts'
import * as sessions from '../sessions/sessions.ts'
import { liveSessions } from '../store.ts'
import * as challenges from './challenges.ts'
import { isAsked } from './duty.ts'
import { errors } from './errors.ts'
import { mfaDisabled, mfaEnabled, recoveryCodesMade } from './events.ts'
import { tellOwner } from './letters.ts'
import { requirement, secretOf, standing } from './mfa.ts'
import { requireProof } from './proof.ts'
import { hashOf, newCodes } from './recovery-codes.ts'
import type { FactorRemoval, MfaStatus, OfferedTotp, Proof, TotpConfirmation } from './schema.ts'
import * as store from './store.ts'
import * as totp from './totp.ts'

/** A secret that nobody has confirmed is forgotten after this. */
const offer_ms = 3_600_000

const systemOf = (ctx: Ctx, reason: string): Ctx => ctx.asSystem(reason, ctx.workspace_id ?? undefined)

const was = (totp_enabled: boolean) => ({ before: { totp_enabled }, after: { totp_enabled: !totp_enabled } })

/** The caller's second factors. */
export const status = async (ctx: Ctx): Promise<MfaStatus> => {
  const { actor } = ctx
  const { user_id } = sessions.caller(ctx)
  const found = await standing(systemOf(ctx, 'tell somebody which second factors they have'), user_id)
  return { ...found, is_required: actor.type === 'user' && isAsked(ctx, actor.role) }
}

/**
 * Offers a secret for an authenticator app; nothing changes until it is confirmed. Errors: 409 `auth.totp_enabled`, those of `requireProof`.
 */
export const start = async (ctx: Ctx, given: Proof): Promise<OfferedTotp> => {
  const { user_id } = sessions.caller(ctx)
  const system = systemOf(ctx, 'offer a secret for an authenticator app')
  if ((await standing(system, user_id)).totp.enabled) throw errors.totp_enabled()
  await requireProof(ctx, given)
  const user = await users.byId(system, user_id)
  if (user === null) throw userErrors.not_found()
  const secret = totp.newSecret()
  const sealed = ctx.use(secrets).seal(secretOf(user_id), secret)
  const offered = await system.tx((tx) => store.offerTotp(tx.db, user_id, sealed, iso(tx.now())))
  if (!offered) throw errors.totp_enabled()
  const issuer = new URL(ctx.use(httpService).url()).host
  return { secret, uri: totp.uriOf({ issuer, label: user.email, secret }), expires_at: iso(ctx.now() + offer_ms) }
}

/**
 * Switches the offered secret on with a code of it, which is used up by that. Answers ten recovery codes; older ones work no more.
 * Errors: 409 `auth.totp_not_started`, 409 `auth.totp_enabled`, 422 `auth.code_invalid`.
 */
export const confirm = async (ctx: Ctx, input: TotpConfirmation): Promise<string[]> => {
  const caller = sessions.caller(ctx)
  return systemOf(ctx, 'switch on an authenticator app').tx(async (tx) => {
    await users.lock(tx, caller.user_id)
    const row = await store.lockTotp(tx.db, caller.user_id)
    if (row === undefined || Date.parse(row.created_at) + offer_ms <= tx.now()) throw errors.totp_not_started()
    if (row.confirmed_at !== null) throw errors.totp_enabled()
    const code = totp.readCode(input.code)
    const secret = await tx.use(secrets).open(secretOf(caller.user_id), row.sealed_secret)
    const step = code === null ? null : totp.stepOf(secret, code, tx.now())
    if (step === null) throw errors.code_invalid({ errors: [{ path: 'code', message: 'is not the one that the app shows now' }] })
    await store.confirmTotp(tx.db, caller.user_id, step, iso(tx.now()))
    tx.emit(mfaEnabled, { user_id: caller.user_id, factor: 'totp' }, was(false))
    const codes = await makeCodes(tx, caller.user_id)
    if (input.end_other_sessions === true) await endOthers(tx, caller)
    await tellOwner(tx, caller.user_id, 'mfa_enabled')
    return codes
  })
}

/** Removes the caller's authenticator app. Errors: 409 `auth.totp_not_enabled`, those of `requireProof`. */
export const remove = async (ctx: Ctx, { end_other_sessions, ...given }: FactorRemoval): Promise<void> => {
  const caller = sessions.caller(ctx)
  const system = systemOf(ctx, 'remove an authenticator app')
  if (!(await standing(system, caller.user_id)).totp.enabled) throw errors.totp_not_enabled()
  await requireProof(ctx, given)
  await system.tx(async (tx) => {
    await users.lock(tx, caller.user_id)
    if (!(await store.deleteTotp(tx.db, caller.user_id))) throw errors.totp_not_enabled()
    await dropWhatIsLeft(tx, caller.user_id)
    tx.emit(mfaDisabled, { user_id: caller.user_id, factor: 'totp', reason: 'removed' }, was(true))
    if (end_other_sessions === true) await endOthers(tx, caller)
    await tellOwner(tx, caller.user_id, 'mfa_disabled')
  })
}

/** Makes new recovery codes. Errors: 409 `auth.mfa_not_enabled`, those of `requireProof`. */
export const renewCodes = async (ctx: Ctx, given: Proof): Promise<string[]> => {
  const { user_id } = sessions.caller(ctx)
  const system = systemOf(ctx, 'make new recovery codes')
  if ((await requirement(system, user_id)) === null) throw errors.mfa_not_enabled()
  await requireProof(ctx, given)
  return system.tx(async (tx) => {
    await users.lock(tx, user_id)
    if ((await requirement(tx, user_id)) === null) throw errors.mfa_not_enabled()
    await tellOwner(tx, user_id, 'recovery_codes_made')
    return makeCodes(tx, user_id)
  })
}

/**
 * Removes every second factor of somebody who has lost them, and ends their sessions. For admins; the route checks that.
 * Errors: 409 `auth.self_mfa_removal`, 404 `users.not_found`, 409 `auth.mfa_not_enabled`.
 */
export const removeByAdmin = async (ctx: Ctx, user_id: string): Promise<void> => {
  if (sessions.caller(ctx).user_id === user_id) throw errors.self_mfa_removal()
  await ctx.asSystem("an admin removes somebody else's second factors").tx(async (tx) => {
    if ((await users.lock(tx, user_id)) === null) throw userErrors.not_found()
    if (!(await removeAll(tx, user_id, 'admin'))) throw errors.mfa_not_enabled()
    await sessions.end(tx, user_id, 'all', 'mfa_removed')
    await tellOwner(tx, user_id, 'mfa_removed_by_admin')
  })
}

/** Removes every second factor of an account; false when it has none. Needs the system's scope. */
export const removeAll = async (tx: TxCtx, user_id: string, reason: 'admin' | 'claimed' | 'disowned'): Promise<boolean> => {
  const had_totp = await store.deleteTotp(tx.db, user_id)
  const passkeys = await deletePasskeys(tx.db, user_id, 'all')
  await dropWhatIsLeft(tx, user_id)
  if (had_totp) tx.emit(mfaDisabled, { user_id, factor: 'totp', reason }, was(true))
  for (const { id, name } of passkeys) tx.emit(passkeyRemoved, { user_id, passkey_id: id }, { before: { name } })
  return had_totp || passkeys.length > 0
}

/** Recovery codes are of use beside a factor alone, and sign-ins that wait for one that is gone wait in vain. */
export const dropWhatIsLeft = async (tx: TxCtx, user_id: string): Promise<void> => {
  await challenges.endOfUser(tx, user_id)
  if ((await requirement(tx, user_id)) === null) await store.deleteCodes(tx.db, user_id)
}

/** Ten recovery codes in place of those from before; as texts, this once. */
export const makeCodes = async (tx: TxCtx, user_id: string): Promise<string[]> => {
  const codes = newCodes()
  await store.replaceCodes(
    tx.db,
    user_id,
    codes.map((code) => hashOf(user_id, code)),
  )
  tx.emit(recoveryCodesMade, { user_id, count: codes.length })
  return codes
}

/** Ends every session of the caller but the one that calls. */
export const endOthers = async (tx: TxCtx, caller: { readonly user_id: string; readonly session_id: string }): Promise<void> => {
  const others = (await liveSessions(tx.db, caller.user_id, iso(tx.now()))).map(({ id }) => id).filter((id) => id !== caller.session_id)
  if (others.length > 0) await sessions.end(tx, caller.user_id, others, 'removed')
}
