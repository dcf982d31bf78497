import { Type } from 'typebox'
import { route } from '../../../platform/http/route.ts'
import { errors as userErrors } from '../../users/errors.ts'
import { errors as authErrors } from '../errors.ts'
import { errors as passkeyErrors } from '../passkeys/errors.ts'
import { RequestOptions } from '../passkeys/schema.ts'
import { Message, SignedIn } from '../schema.ts'
import { clientOf, signedIn } from '../sessions/token-reply.ts'
import * as enrolment from './enrolment.ts'
import { errors } from './errors.ts'
import { proofErrors } from './proof.ts'
import { FactorRemoval, MfaAnswer, MfaStatus, OfferedTotp, OpenChallenge, Proof, RecoveryCodes, TotpConfirmation } from './schema.ts'
import { passkeyOptions, verify } from './verify.ts'

const body_limit_bytes = 65_536
const perUser = [{ name: 'mfa', quota: 60, window_s: 600, per: 'user' }] as const

export const mfaStatus = route({
  method: 'GET',
  path: '/auth/mfa',
  summary: 'Your second factors',
  allow: 'account:security',
  replies: { 200: MfaStatus },
  handler: (ctx) => enrolment.status(ctx),
})

export const startTotp = route({
  method: 'POST',
  path: '/auth/mfa/totp',
  summary: 'Begin to set up an authenticator app',
  description:
    'Nothing changes until a code of the app is sent to `/auth/mfa/totp/confirm`. Beginning again replaces what was offered before.',
  allow: 'account:security',
  body: Proof,
  body_limit_bytes,
  replies: { 201: OfferedTotp },
  errors: [...proofErrors, errors.totp_enabled],
  limits: perUser,
  handler: (ctx, { body }) => enrolment.start(ctx, body),
})

export const confirmTotp = route({
  method: 'POST',
  path: '/auth/mfa/totp/confirm',
  summary: 'Switch the authenticator app on',
  description: 'Answers ten recovery codes, which are shown this once.',
  allow: 'account:security',
  body: TotpConfirmation,
  body_limit_bytes,
  replies: { 200: RecoveryCodes },
  errors: [errors.code_invalid, errors.totp_not_started, errors.totp_enabled],
  limits: perUser,
  handler: async (ctx, { body }) => ({ recovery_codes: await enrolment.confirm(ctx, body) }),
})

export const removeTotp = route({
  method: 'DELETE',
  path: '/auth/mfa/totp',
  summary: 'Remove the authenticator app',
  description: 'Takes the password, a code or a passkey in the body: an access token alone is not enough.',
  allow: 'account:security',
  body: FactorRemoval,
  body_limit_bytes,
  replies: { 200: Message },
  errors: [...proofErrors, errors.totp_not_enabled],
  limits: perUser,
  handler: async (ctx, { body }) => {
    await enrolment.remove(ctx, body)
    return { message: 'The authenticator app is removed.' }
  },
})

export const renewRecoveryCodes = route({
  method: 'POST',
  path: '/auth/mfa/recovery-codes',
  summary: 'Make new recovery codes',
  description: 'Ten new ones, shown this once. Those from before work no more.',
  allow: 'account:security',
  body: Proof,
  body_limit_bytes,
  replies: { 200: RecoveryCodes },
  errors: [...proofErrors, errors.mfa_not_enabled],
  limits: perUser,
  handler: async (ctx, { body }) => ({ recovery_codes: await enrolment.renewCodes(ctx, body) }),
})

export const verifyMfa = route({
  method: 'POST',
  path: '/auth/mfa/verify',
  summary: 'Sign in with the second factor',
  description:
    'With the `challenge` that the first factor was answered with. It is good for ten minutes, for one success or five mistakes.',
  allow: 'public',
  body: MfaAnswer,
  body_limit_bytes,
  replies: { 200: SignedIn },
  errors: [errors.mfa_challenge_invalid, errors.mfa_invalid, errors.mfa_blocked, authErrors.invalid_credentials],
  limits: [{ name: 'mfa-verify', quota: 60, window_s: 60, per: 'address' }],
  handler: async (ctx, { body, request }) => signedIn(200, await verify(ctx, body, clientOf(request)), body.use_cookie === true),
})

export const mfaPasskeyOptions = route({
  method: 'POST',
  path: '/auth/mfa/passkey/options',
  summary: 'Begin to show a passkey as the second factor',
  description: 'For `navigator.credentials.get()`; its answer goes to `/auth/mfa/verify` with the same `challenge`.',
  allow: 'public',
  body: OpenChallenge,
  body_limit_bytes: 4_096,
  replies: { 200: RequestOptions },
  errors: [errors.mfa_challenge_invalid, passkeyErrors.passkeys_unavailable],
  limits: [{ name: 'mfa-options', quota: 60, window_s: 60, per: 'address' }],
  handler: (ctx, { body }) => passkeyOptions(ctx, body.challenge),
})

export const removeMfaByAdmin = route({
  method: 'DELETE',
  path: '/users/admin/users/{id}/mfa',
  summary: 'Remove the second factors of somebody who lost them',
  description:
    'The authenticator app, the passkeys and the recovery codes. Every session of the account ends, and its owner is told by mail.',
  allow: 'users:manage',
  params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
  replies: { 200: Message },
  errors: [userErrors.not_found, errors.self_mfa_removal, errors.mfa_not_enabled],
  handler: async (ctx, { params }) => {
    await enrolment.removeByAdmin(ctx, params.id)
    return { message: 'The second factors are removed, and the account is signed out everywhere.' }
  },
})
