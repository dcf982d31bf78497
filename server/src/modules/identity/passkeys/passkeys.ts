import { randomBytes } from 'node:crypto'
import type { RegistrationResponseJSON } from '@simplewebauthn/server'
import type { Ctx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { errors as userErrors } from '../../users/errors.ts'
import * as users from '../../users/users.ts'
import { deviceOf } from '../sessions/device.ts'
import { dropWhatIsLeft, endOthers, makeCodes } from '../mfa/enrolment.ts'
import { tellOwner } from '../mfa/letters.ts'
import { requirement } from '../mfa/mfa.ts'
import { requireProof } from '../mfa/proof.ts'
import type { FactorRemoval, Proof } from '../mfa/schema.ts'
import * as sessions from '../sessions/sessions.ts'
import { descriptorOf, refuseFrame, requestOptions, spend } from './assertion.ts'
import { challenge_life_ms, type Ceremony, isChallenge, makeChallenge } from './challenge.ts'
import { errors } from './errors.ts'
import { passkeyAdded, passkeyRemoved, passkeyRenamed } from './events.ts'
import type { Attestation, CreationOptions, NewPasskey, RequestOptions } from './schema.ts'
import * as store from './store.ts'
import type { PasskeyRow } from './store.ts'
import { algorithms, relyingPartyOf, webauthn } from './webauthn.ts'

const most = 20

const systemOf = (ctx: Ctx, reason: string): Ctx => ctx.asSystem(reason, ctx.workspace_id ?? undefined)

/** A challenge to add a passkey is the session's that has shown who it is. */
const adding = (session_id: string): Ceremony => ({ purpose: 'add', binding: session_id })

/**
 * What an authenticator needs to make a passkey for the caller. Errors: 409 `auth.passkeys_unavailable`, 409 `auth.passkeys_full`,
 * those of `requireProof`.
 */
export const creationOptions = async (ctx: Ctx, given: Proof): Promise<CreationOptions> => {
  const { user_id, session_id } = sessions.caller(ctx)
  const { id, origins } = relyingPartyOf(ctx)
  const system = systemOf(ctx, 'prepare a passkey')
  const existing = await store.passkeysOf(system.db, user_id)
  if (existing.length >= most) throw errors.passkeys_full()
  await requireProof(ctx, given)
  const user = await users.byId(system, user_id)
  if (user === null) throw userErrors.not_found()
  const handle = await system.tx((tx) => store.keepHandle(tx.db, user_id, randomBytes(32).toString('base64url')))
  return {
    rp: { id, name: new URL(origins[0] as string).host },
    user: { id: handle, name: user.email, displayName: user.name ?? user.username },
    challenge: makeChallenge(ctx.use(webauthn).key, adding(session_id), ctx.now()),
    pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key', alg })),
    timeout: challenge_life_ms,
    excludeCredentials: existing.map(descriptorOf),
    authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
    attestation: 'none',
  }
}

/**
 * Adds a passkey that was made by those options. With the account's first second factor come ten recovery codes. Errors: 422 `auth.passkey_rejected`,
 * 409 `auth.passkey_taken`, 409 `auth.passkeys_full`.
 */
export const add = async (
  ctx: Ctx,
  input: NewPasskey,
): Promise<{ readonly passkey: PasskeyRow; readonly recovery_codes: string[] | null }> => {
  const { user_id, session_id } = sessions.caller(ctx)
  const made = await readAttestation(ctx, input.passkey, adding(session_id))
  return systemOf(ctx, 'add a passkey').tx(async (tx) => {
    if ((await users.lock(tx, user_id)) === null) throw userErrors.not_found()
    if (!(await spend(tx, made.challenge))) throw errors.passkey_rejected()
    if ((await store.countPasskeys(tx.db, user_id)) >= most) throw errors.passkeys_full()
    const first = (await requirement(tx, user_id)) === null
    const name = input.name ?? deviceOf(ctx.client?.user_agent ?? null)
    const created_at = new Date(tx.now()).toISOString()
    const passkey = await store.insertPasskey(tx.db, { ...made.row, id: tx.newId(), user_id, name, created_at })
    if (passkey === undefined) throw errors.passkey_taken()
    tx.emit(passkeyAdded, { user_id, passkey_id: passkey.id }, { after: { name } })
    await tellOwner(tx, user_id, 'passkey_added', `It is called “${name}”.`)
    return { passkey, recovery_codes: first ? await makeCodes(tx, user_id) : null }
  })
}

/** Asked for no attestation, browsers send none; one that an authenticator signs itself says no more. Others would have their makers asked. */
const formats: ReadonlySet<string> = new Set(['none', 'packed'])

const readAttestation = async (ctx: Ctx, attestation: Attestation, ceremony: Ceremony) => {
  const { id, origins } = relyingPartyOf(ctx)
  const { key, library } = ctx.use(webauthn)
  const { verifyRegistrationResponse } = await library()
  let challenge = ''
  try {
    refuseFrame(attestation.response.clientDataJSON)
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: attestation as RegistrationResponseJSON,
      expectedChallenge: (given) => {
        challenge = given
        return isChallenge(key, ceremony, given, ctx.now())
      },
      expectedOrigin: [...origins],
      expectedRPID: id,
      requireUserVerification: true,
      supportedAlgorithmIDs: [...algorithms],
    })
    if (!verified || !formats.has(registrationInfo.fmt)) throw new Error(`The attestation is not accepted: ${registrationInfo?.fmt}`)
    const { credential, credentialDeviceType, aaguid } = registrationInfo
    const row = {
      credential_id: credential.id,
      public_key: Buffer.from(credential.publicKey).toString('base64url'),
      counter: credential.counter,
      transports: [...(attestation.response.transports ?? [])],
      aaguid,
      is_synced: credentialDeviceType === 'multiDevice',
    }
    return { challenge, row }
  } catch (cause) {
    throw errors.passkey_rejected({ cause })
  }
}

/** The caller's passkeys, at most twenty. */
export const list = (ctx: Ctx): Promise<readonly PasskeyRow[]> => store.passkeysOf(ctx.db, sessions.caller(ctx).user_id)

/** Errors: 404 `auth.passkey_not_found`, 412 `http.precondition_failed` when it is not at `if_match` (null: any) or is changed meanwhile. */
export const rename = async (ctx: Ctx, id: string, name: string, if_match: number | null): Promise<PasskeyRow> => {
  const { user_id } = sessions.caller(ctx)
  return ctx.tx(async (tx) => {
    const before = await store.passkeyById(tx.db, user_id, id)
    if (before === undefined) throw errors.passkey_not_found()
    requireRevision(before, if_match)
    const after = await store.renamePasskey(tx.db, id, name, before.revision)
    // Somebody named it in between.
    if (after === undefined) throw httpErrors.precondition_failed()
    tx.emit(passkeyRenamed, { user_id, passkey_id: id }, { before: { name: before.name }, after: { name } })
    return after
  })
}

/** Removes one of the caller's passkeys. Errors: 404 `auth.passkey_not_found`, those of `requireProof`. */
export const remove = async (ctx: Ctx, id: string, { end_other_sessions, ...given }: FactorRemoval): Promise<void> => {
  const caller = sessions.caller(ctx)
  if ((await store.passkeyById(ctx.db, caller.user_id, id)) === undefined) throw errors.passkey_not_found()
  await requireProof(ctx, given)
  await systemOf(ctx, 'remove a passkey').tx(async (tx) => {
    await users.lock(tx, caller.user_id)
    const [removed] = await store.deletePasskeys(tx.db, caller.user_id, [id])
    if (removed === undefined) throw errors.passkey_not_found()
    await dropWhatIsLeft(tx, caller.user_id)
    tx.emit(passkeyRemoved, { user_id: caller.user_id, passkey_id: id }, { before: { name: removed.name } })
    if (end_other_sessions === true) await endOthers(tx, caller)
    await tellOwner(tx, caller.user_id, 'passkey_removed', `It was called “${removed.name}”.`)
  })
}

/** What a passkey of the caller is to sign to show once more that it is them. 409 `auth.passkeys_unavailable`. */
export const proofOptions = (ctx: Ctx): Promise<RequestOptions> => {
  const { user_id, session_id } = sessions.caller(ctx)
  return requestOptions(ctx, { purpose: 'proof', binding: session_id }, user_id)
}
