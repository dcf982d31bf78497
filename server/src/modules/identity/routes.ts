import { Type } from 'typebox'
import { httpErrors } from '../../platform/http/errors.ts'
import { keyset, pageOf, PageQuery } from '../../platform/http/paging.ts'
import { reply, route } from '../../platform/http/route.ts'
import { errors as userErrors } from '../users/errors.ts'
import { User } from '../users/schema.ts'
import { busy, errors } from './errors.ts'
import * as identity from './identity.ts'
import { errors as mfaErrors } from './mfa/errors.ts'
import { clearRefreshCookie, readRefreshCookie } from './sessions/refresh-cookie.ts'
import { Login, Me, Message, Refresh, Registration, Session, Setup, SignedIn, StatusChange, Verified } from './schema.ts'
import { clientOf, signedIn } from './sessions/token-reply.ts'
import { verify as verified } from './sessions/verify.ts'

const tokenErrors = [errors.refresh_invalid, errors.refresh_expired, errors.refresh_reused, errors.session_revoked, errors.cross_site]

export const register = route({
  method: 'POST',
  path: '/auth/register',
  summary: 'Make an account and sign in',
  allow: 'public',
  body: Registration,
  body_limit_bytes: 16_384,
  description:
    'A link to confirm the address is sent to it. Where `MILLRACE_REQUIRE_VERIFIED_EMAIL` is on, the account is made and nobody is signed in yet: 202.',
  replies: { 201: SignedIn, 202: Message },
  idempotent: 'claimed',
  errors: [errors.password_weak, errors.registration_closed, userErrors.email_taken, userErrors.username_taken, busy.busy],
  limits: [{ name: 'register', quota: 30, window_s: 3_600, per: 'address' }],
  handler: async (ctx, { body, request }) => {
    const tokens = await identity.register(ctx, body, clientOf(request))
    if (tokens !== null) return signedIn(201, tokens, body.use_cookie === true)
    return reply({
      status: 202,
      body: { message: 'The account is made. Confirm its address with the link that we sent to it, then sign in.' },
    })
  },
})

export const login = route({
  method: 'POST',
  path: '/auth/login',
  summary: 'Sign in with a password',
  description: 'An unknown address, a wrong password and an account that is switched off get the same answer in the same time.',
  allow: 'public',
  body: Login,
  body_limit_bytes: 16_384,
  replies: { 200: SignedIn },
  errors: [
    errors.invalid_credentials,
    mfaErrors.mfa_required,
    mfaErrors.mfa_invalid,
    mfaErrors.mfa_blocked,
    busy.too_many_attempts,
    busy.account_guarded,
    busy.busy,
  ],
  limits: [{ name: 'sign-in', quota: 60, window_s: 60, per: 'address' }],
  handler: async (ctx, { body, request }) => signedIn(200, await identity.login(ctx, body, clientOf(request)), body.use_cookie === true),
})

export const refresh = route({
  method: 'POST',
  path: '/auth/refresh',
  summary: 'Get the next access and refresh token',
  description:
    'The refresh token comes in the body or in the cookie, and the next one goes back the same way. Each is good for one use; using one again ends its session. `MILLRACE_REFRESH_GRACE_SECONDS` can allow for tabs that refresh at the same moment.',
  allow: 'public',
  body: Refresh,
  body_limit_bytes: 16_384,
  replies: { 200: SignedIn },
  errors: tokenErrors,
  limits: [{ name: 'refresh', quota: 300, window_s: 60, per: 'address' }],
  handler: async (ctx, { body, request }) => {
    const from_cookie = body.refresh_token === undefined ? readRefreshCookie(ctx, request) : null
    const token = body.refresh_token ?? from_cookie
    if (token === null) throw errors.refresh_invalid({ detail: 'There is no refresh token in the body and none in the cookie.' })
    return signedIn(200, await identity.refresh(ctx, token, clientOf(request)), from_cookie !== null)
  },
})

export const logout = route({
  method: 'POST',
  path: '/auth/logout',
  summary: 'Sign out',
  description: 'Ends this session, or with `all` every session of yours. Access tokens of an ended session stop working at once.',
  allow: 'account:security',
  query: Type.Object({ all: Type.Optional(Type.Boolean()) }),
  replies: { 200: Message },
  handler: async (ctx, { query }) => {
    const all = query.all === true
    await identity.logout(ctx, all)
    return reply({
      status: 200,
      body: { message: all ? 'You are signed out everywhere.' : 'You are signed out.' },
      cookies: [clearRefreshCookie],
    })
  },
})

export const me = route({
  method: 'GET',
  path: '/auth/me',
  summary: 'Who you are, and your workspaces',
  allow: 'account:read',
  replies: { 200: Me },
  handler: (ctx) => identity.me(ctx),
})

export const verify = route({
  method: 'GET',
  path: '/auth/verify',
  summary: 'What your access token or API key is good for',
  allow: 'account:read',
  replies: { 200: Verified },
  handler: (ctx, { request }) => verified(ctx, String(request.headers['authorization']).slice('Bearer '.length).trim()),
})

const byLastSeen = keyset(Type.Tuple([Type.String({ format: 'date-time' }), Type.String({ format: 'uuid' })]))

export const listSessions = route({
  method: 'GET',
  path: '/auth/sessions',
  summary: 'Where you are signed in',
  description: 'The last seen first; never more than a hundred.',
  allow: 'account:security',
  query: PageQuery,
  replies: { 200: pageOf(Session) },
  handler: async (ctx, { query }) =>
    byLastSeen.pageOfAll(await identity.listSessions(ctx), query, ({ last_seen_at, id }) => [last_seen_at, id]),
})

export const deleteSession = route({
  method: 'DELETE',
  path: '/auth/sessions/{id}',
  summary: 'Sign out one of your devices',
  allow: 'account:security',
  params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
  replies: { 200: Message },
  errors: [errors.session_not_found],
  handler: async (ctx, { params }) => {
    await identity.endSession(ctx, params.id)
    return { message: 'The session has ended.' }
  },
})

export const setUp = route({
  method: 'POST',
  path: '/auth/setup',
  summary: 'Make the first admin',
  description: 'With the token of the one-time link that is printed when a server without an admin starts.',
  allow: 'public',
  body: Setup,
  body_limit_bytes: 16_384,
  replies: { 201: SignedIn },
  idempotent: 'claimed',
  errors: [errors.setup_invalid, errors.setup_done, errors.password_weak, userErrors.email_taken, busy.busy],
  limits: [{ name: 'setup', quota: 60, window_s: 3_600, per: 'address' }],
  handler: async (ctx, { body, request }) => signedIn(201, await identity.setUp(ctx, body, clientOf(request)), body.use_cookie === true),
})

export const putStatus = route({
  method: 'PUT',
  path: '/users/admin/users/{id}/status',
  summary: 'Switch an account off or on',
  description: 'Switched off, every session of the account ends at once, its access tokens included.',
  allow: 'users:manage',
  etag: true,
  params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
  body: StatusChange,
  replies: { 200: User },
  errors: [userErrors.not_found, errors.self_deactivation, httpErrors.precondition_failed],
  handler: (ctx, { params, body, request }) => identity.setStatus(ctx, params.id, body.is_active, request.if_match),
})

const Jwk = Type.Object({
  kty: Type.Literal('OKP'),
  crv: Type.Literal('Ed25519'),
  x: Type.String(),
  kid: Type.String(),
  use: Type.Literal('sig'),
  alg: Type.Literal('EdDSA'),
})

export const jwks = route({
  method: 'GET',
  path: '/.well-known/jwks.json',
  root: true,
  summary: 'The public keys that access tokens are signed with',
  allow: 'public',
  replies: { 200: Type.Object({ keys: Type.Array(Jwk) }) },
  handler: (ctx) =>
    reply({ status: 200, body: { keys: [...identity.publicKeys(ctx)] }, headers: { 'cache-control': 'public, max-age=300' } }),
})
