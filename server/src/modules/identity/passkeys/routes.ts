import { Type } from 'typebox'
import { httpErrors } from '../../../platform/http/errors.ts'
import { keyset, pageOf, PageQuery } from '../../../platform/http/paging.ts'
import { route } from '../../../platform/http/route.ts'
import { errors as authErrors } from '../errors.ts'
import { proofErrors } from '../mfa/proof.ts'
import { FactorRemoval, Proof } from '../mfa/schema.ts'
import { Message, SignedIn } from '../schema.ts'
import { clientOf, signedIn } from '../sessions/token-reply.ts'
import { errors } from './errors.ts'
import * as passkeys from './passkeys.ts'
import { AddedPasskey, CreationOptions, NewPasskey, Passkey, PasskeyChange, PasskeySignIn, RequestOptions } from './schema.ts'
import { signInOptions, signInWithPasskey } from './sign-in.ts'

const params = Type.Object({ id: Type.String({ format: 'uuid' }) })
const body_limit_bytes = 65_536
const perUser = [{ name: 'passkeys', quota: 60, window_s: 600, per: 'user' }] as const

export const passkeyCreationOptions = route({
  method: 'POST',
  path: '/auth/passkeys/options',
  summary: 'Begin to add a passkey',
  description: 'For `navigator.credentials.create()`. The challenge is good for five minutes, in this session, once.',
  allow: 'account:security',
  body: Proof,
  body_limit_bytes,
  replies: { 200: CreationOptions },
  errors: [...proofErrors, errors.passkeys_unavailable, errors.passkeys_full],
  limits: perUser,
  handler: (ctx, { body }) => passkeys.creationOptions(ctx, body),
})

export const addPasskey = route({
  method: 'POST',
  path: '/auth/passkeys',
  summary: 'Add a passkey',
  description:
    'From then on signing in takes no password and, with the password, a second factor. With the first second factor of an account come ten recovery codes, shown this once.',
  allow: 'account:security',
  body: NewPasskey,
  body_limit_bytes,
  replies: { 201: AddedPasskey },
  errors: [errors.passkey_rejected, errors.passkey_taken, errors.passkeys_full, errors.passkeys_unavailable],
  limits: perUser,
  handler: (ctx, { body }) => passkeys.add(ctx, body),
})

const byAge = keyset(Type.Tuple([Type.String({ format: 'uuid' })]))

export const listPasskeys = route({
  method: 'GET',
  path: '/auth/passkeys',
  summary: 'Your passkeys',
  description: 'At most twenty.',
  allow: 'account:security',
  query: PageQuery,
  replies: { 200: pageOf(Passkey) },
  handler: async (ctx, { query }) => byAge.pageOfAll(await passkeys.list(ctx), query, ({ id }) => [id]),
})

export const putPasskey = route({
  method: 'PUT',
  path: '/auth/passkeys/{id}',
  summary: 'Name a passkey',
  allow: 'account:security',
  etag: true,
  params,
  body: PasskeyChange,
  body_limit_bytes: 4_096,
  replies: { 200: Passkey },
  errors: [errors.passkey_not_found, httpErrors.precondition_failed],
  handler: (ctx, { params: { id }, body, request }) => passkeys.rename(ctx, id, body.name, request.if_match),
})

export const deletePasskey = route({
  method: 'DELETE',
  path: '/auth/passkeys/{id}',
  summary: 'Remove a passkey',
  description: 'Takes the password, a code or a passkey in the body: an access token alone is not enough.',
  allow: 'account:security',
  params,
  body: FactorRemoval,
  body_limit_bytes,
  replies: { 200: Message },
  errors: [...proofErrors, errors.passkey_not_found],
  limits: perUser,
  handler: async (ctx, { params: { id }, body }) => {
    await passkeys.remove(ctx, id, body)
    return { message: 'The passkey is removed.' }
  },
})

export const passkeyProofOptions = route({
  method: 'POST',
  path: '/auth/passkeys/proof/options',
  summary: 'Begin to show with a passkey that it is you',
  description: 'For `navigator.credentials.get()`; its answer is what other calls take as `passkey`.',
  allow: 'account:security',
  replies: { 200: RequestOptions },
  errors: [errors.passkeys_unavailable],
  limits: perUser,
  handler: (ctx) => passkeys.proofOptions(ctx),
})

export const passkeySignInOptions = route({
  method: 'POST',
  path: '/auth/passkeys/sign-in/options',
  summary: 'Begin to sign in with a passkey',
  description: 'For `navigator.credentials.get()`. It says nothing of any account.',
  allow: 'public',
  replies: { 200: RequestOptions },
  errors: [errors.passkeys_unavailable],
  limits: [{ name: 'passkey-options', quota: 120, window_s: 60, per: 'address' }],
  handler: (ctx) => signInOptions(ctx),
})

export const passkeySignIn = route({
  method: 'POST',
  path: '/auth/passkeys/sign-in',
  summary: 'Sign in with a passkey',
  description: 'Without a password or a second factor: the passkey is both, because the authenticator makes sure who uses it.',
  allow: 'public',
  body: PasskeySignIn,
  body_limit_bytes,
  replies: { 200: SignedIn },
  errors: [errors.passkey_invalid, errors.passkeys_unavailable, authErrors.invalid_credentials],
  limits: [{ name: 'passkey-sign-in', quota: 60, window_s: 60, per: 'address' }],
  handler: async (ctx, { body, request }) => signedIn(200, await signInWithPasskey(ctx, body, clientOf(request)), body.use_cookie === true),
})
