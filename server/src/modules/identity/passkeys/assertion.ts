import type { AuthenticationResponseJSON } from '@simplewebauthn/server'
import { iso } from '../../../lib/iso.ts'
import type { Ctx, TxCtx } from '../../../platform/context.ts'
import type { Problem } from '../../../platform/errors.ts'
import { tellOwner } from '../mfa/letters.ts'
import { type Ceremony, challenge_life_ms, challengeHash, isChallenge, makeChallenge } from './challenge.ts'
import { errors } from './errors.ts'
import { passkeyCloned, passkeyRefused } from './events.ts'
import type { Assertion, RequestOptions } from './schema.ts'
import * as store from './store.ts'
import type { PasskeyRow } from './store.ts'
import { relyingPartyOf, webauthn } from './webauthn.ts'

/** What an authenticator is to sign; `user_id` null where the person chooses the account. 409 `auth.passkeys_unavailable`. */
export const requestOptions = async (ctx: Ctx, ceremony: Ceremony, user_id: string | null): Promise<RequestOptions> => {
  const { id: rpId } = relyingPartyOf(ctx)
  const known = user_id === null ? [] : await store.passkeysOf(ctx.asSystem('name the passkeys that may answer').db, user_id)
  return {
    challenge: makeChallenge(ctx.use(webauthn).key, ceremony, ctx.now()),
    timeout: challenge_life_ms,
    rpId,
    allowCredentials: known.map(descriptorOf),
    userVerification: 'required',
  }
}

export const descriptorOf = ({ credential_id, transports }: PasskeyRow) => ({ type: 'public-key', id: credential_id, transports }) as const

/**
 * Checks what an authenticator has signed (WebAuthn level 3, section 7.2) and uses its challenge up: null when it is right, else 401
 * `auth.passkey_invalid`. The authenticator must have made sure who uses it, by a PIN or a finger. With `user_id` null the signature names the
 * account, by its handle. The caller commits in either case and throws afterwards. Needs the system's scope.
 */
export const checkAssertion = async (
  tx: TxCtx,
  input: { readonly assertion: Assertion; readonly ceremony: Ceremony; readonly user_id: string | null },
): Promise<Problem | null> => {
  const { assertion, ceremony, user_id } = input
  const passkey = await store.lockCredential(tx.db, assertion.id)
  if (passkey === undefined) return errors.passkey_invalid()
  const refuse = (cause?: unknown): Problem => {
    tx.emit(passkeyRefused, { user_id: passkey.user_id, passkey_id: passkey.id })
    return errors.passkey_invalid({ cause })
  }
  if (user_id !== null && passkey.user_id !== user_id) return refuse()
  if (!(await namesOwner(tx, passkey, assertion, user_id === null))) return refuse()
  const { challenge, error, ...signed } = await readSigned(tx, passkey, assertion, ceremony)
  if (challenge === null) return refuse(error)
  if (!(await spend(tx, challenge))) return refuse()
  if (signed.counter <= passkey.counter && (signed.counter > 0 || passkey.counter > 0)) {
    tx.emit(passkeyCloned, {
      user_id: passkey.user_id,
      passkey_id: passkey.id,
      counter: signed.counter,
      expected_above: passkey.counter,
    })
    await tellOwner(tx, passkey.user_id, 'passkey_clone_suspected', `It is called “${passkey.name}”.`)
    return errors.passkey_invalid({ detail: 'The authenticator counted backwards: there may be a copy of it.' })
  }
  await store.usePasskey(tx.db, passkey.id, { counter: signed.counter, is_synced: signed.is_synced, last_used_at: iso(tx.now()) })
  return null
}

/** A handle is optional where the account is known already, and never another one's. */
const namesOwner = async (tx: TxCtx, passkey: PasskeyRow, { response }: Assertion, needed: boolean): Promise<boolean> => {
  if (!response.userHandle) return !needed
  return response.userHandle === (await store.handleOf(tx.db, passkey.user_id))
}

/** Uses a challenge up. */
export const spend = (tx: TxCtx, challenge: string): Promise<boolean> =>
  store.spendChallenge(tx.db, challengeHash(challenge), iso(tx.now() + challenge_life_ms), iso(tx.now()))

interface Signed {
  /** Null when something about it is wrong. */
  readonly challenge: string | null
  readonly counter: number
  readonly is_synced: boolean
  readonly error?: unknown
}

const readSigned = async (tx: TxCtx, passkey: PasskeyRow, assertion: Assertion, ceremony: Ceremony): Promise<Signed> => {
  const { id: rpId, origins } = relyingPartyOf(tx)
  const { key, library } = tx.use(webauthn)
  const { verifyAuthenticationResponse } = await library()
  let challenge: string | null = null
  try {
    refuseFrame(assertion.response.clientDataJSON)
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: assertion as AuthenticationResponseJSON,
      expectedChallenge: (given) => {
        challenge = given
        return isChallenge(key, ceremony, given, tx.now())
      },
      expectedOrigin: [...origins],
      expectedRPID: rpId,
      requireUserVerification: true,
      // The counter is looked at by the caller, who says what a wrong one means.
      credential: { id: passkey.credential_id, publicKey: Buffer.from(passkey.public_key, 'base64url'), counter: 0 },
    })
    const is_synced = authenticationInfo.credentialDeviceType === 'multiDevice'
    return { challenge: verified ? challenge : null, counter: authenticationInfo.newCounter, is_synced }
  } catch (error) {
    return { challenge: null, counter: 0, is_synced: false, error }
  }
}

/** A page of somebody else that shows ours in a frame must not get a signature; the library lets that through where a browser does not name it. */
export const refuseFrame = (clientDataJSON: string): void => {
  const client = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString('utf8')) as { readonly crossOrigin?: unknown } | null
  if (client?.crossOrigin === true) throw new Error('The credential was used in a frame of another origin')
}
