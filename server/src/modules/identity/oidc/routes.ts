import { Type } from 'typebox'
import { keyset, pageOf, PageQuery } from '../../../platform/http/paging.ts'
import { type Cookie, reply, route } from '../../../platform/http/route.ts'
import { errors as authErrors } from '../errors.ts'
import { errors as mfaErrors } from '../mfa/errors.ts'
import { Proof } from '../mfa/schema.ts'
import { Message, SignedIn } from '../schema.ts'
import { clientOf, signedIn } from '../sessions/token-reply.ts'
import { browserCookie, newBrowser, readBrowser } from './browser-cookie.ts'
import { errors } from './errors.ts'
import * as linking from './linking.ts'
import * as oidc from './oidc.ts'
import { perUser, proofErrors } from './proof-route.ts'
import { Callback, Exchange, Identity, LinkStart, ProviderList, ProviderName, Start, Started, StartFields } from './schema.ts'

const params = Type.Object({ provider: ProviderName })
const startErrors = [errors.provider_not_found, errors.redirect_refused, errors.provider_unavailable]
const startLimit = { name: 'oidc-start', quota: 60, window_s: 60, per: 'address' } as const

export const listProviders = route({
  method: 'GET',
  path: '/auth/oidc',
  summary: 'With whom one can sign in',
  allow: 'public',
  replies: { 200: ProviderList },
  handler: (ctx) => ({ items: oidc.providers(ctx).map((provider) => ({ ...provider })) }),
})

export const startOidc = route({
  method: 'POST',
  path: '/auth/oidc/{provider}',
  summary: 'Begin to sign in with a provider',
  description:
    'Send the browser to `authorization_url`. It comes back to `redirect_to` with `#code=…`, for `POST /auth/oidc/exchange`, or with `#error=…&error_description=…`. The cookie that comes with the reply ties the sign-in to this browser; an app on another site sends the browser to `GET /auth/oidc/{provider}/start` instead and gives a `code_challenge`.',
  allow: 'public',
  params,
  body: Start,
  body_limit_bytes: 16_384,
  replies: { 200: Started },
  errors: startErrors,
  limits: [startLimit],
  handler: async (ctx, { params: { provider }, body, request }) => {
    const browser = readBrowser(ctx, request) ?? newBrowser()
    const authorization_url = await oidc.begin(ctx, provider, body, browser)
    return reply({ status: 200, body: { authorization_url }, cookies: [browserCookie(ctx, browser)] })
  },
})

export const goToProvider = route({
  method: 'GET',
  path: '/auth/oidc/{provider}/start',
  summary: 'Begin to sign in with a provider, for a link',
  description: 'Leads the browser straight to the provider.',
  allow: 'public',
  params,
  query: Type.Object(StartFields),
  replies: { 303: Message },
  errors: startErrors,
  limits: [startLimit],
  handler: async (ctx, { params: { provider }, query, request }) => {
    const browser = readBrowser(ctx, request) ?? newBrowser()
    return goTo(await oidc.begin(ctx, provider, query, browser), [browserCookie(ctx, browser)])
  },
})

export const oidcCallback = route({
  method: 'GET',
  path: '/auth/oidc/{provider}/callback',
  summary: 'Where a provider sends the browser back to',
  description: 'Its address is the redirect URI to register with the provider.',
  allow: 'public',
  params,
  query: Callback,
  replies: { 303: Message },
  errors: [errors.provider_not_found, errors.flow_invalid, errors.redirect_refused],
  limits: [{ name: 'oidc-callback', quota: 60, window_s: 60, per: 'address' }],
  handler: async (ctx, { params: { provider }, query, request }) =>
    goTo(await oidc.finish(ctx, provider, query, readBrowser(ctx, request))),
})

const goTo = (location: string, cookies?: readonly Cookie[]) =>
  reply({
    status: 303,
    headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
    body: { message: 'Go on at the address in `Location`.' },
    ...(cookies === undefined ? {} : { cookies }),
  })

export const exchangeCode = route({
  method: 'POST',
  path: '/auth/oidc/exchange',
  summary: 'Get the tokens after a sign-in with a provider',
  description:
    'The code is good once, for a minute, with the cookie of the browser that signed in or with the `code_verifier` of the `code_challenge` that was given.',
  allow: 'public',
  body: Exchange,
  body_limit_bytes: 16_384,
  replies: { 200: SignedIn },
  errors: [errors.oidc_code_invalid, authErrors.invalid_credentials, mfaErrors.mfa_required],
  limits: [{ name: 'oidc-exchange', quota: 60, window_s: 60, per: 'address' }],
  handler: async (ctx, { body, request }) => {
    const { tokens, use_cookie } = await oidc.exchange(ctx, body, readBrowser(ctx, request), clientOf(request))
    return signedIn(200, tokens, use_cookie)
  },
})

export const linkProvider = route({
  method: 'POST',
  path: '/auth/oidc/{provider}/link',
  summary: 'Begin to link a provider to your account',
  description: 'As to sign in; the browser comes back to `redirect_to` with `#linked=…`. From then on the provider signs you in.',
  allow: 'account:security',
  params,
  body: LinkStart,
  body_limit_bytes: 16_384,
  replies: { 200: Started },
  errors: [...startErrors, ...proofErrors],
  limits: perUser,
  handler: async (ctx, { params: { provider }, body, request }) => {
    const browser = readBrowser(ctx, request) ?? newBrowser()
    const authorization_url = await oidc.beginLink(ctx, provider, body, browser)
    return reply({ status: 200, body: { authorization_url }, cookies: [browserCookie(ctx, browser)] })
  },
})

const byAge = keyset(Type.Tuple([Type.String({ format: 'uuid' })]))

export const listIdentities = route({
  method: 'GET',
  path: '/auth/identities',
  summary: 'Who you are elsewhere',
  description: 'The users of providers, and of issuers of access tokens, that get into your account.',
  allow: 'account:security',
  query: PageQuery,
  replies: { 200: pageOf(Identity) },
  handler: async (ctx, { query }) => byAge.pageOfAll(await linking.list(ctx), query, ({ id }) => [id]),
})

export const unlinkIdentity = route({
  method: 'DELETE',
  path: '/auth/identities/{id}',
  summary: 'Unlink one of them',
  description: 'Takes the password or a code in the body: an access token alone is not enough.',
  allow: 'account:security',
  params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
  body: Proof,
  body_limit_bytes: 16_384,
  replies: { 200: Message },
  errors: [...proofErrors, errors.identity_not_found, errors.last_way_in],
  limits: perUser,
  handler: async (ctx, { params: { id }, body }) => {
    await linking.unlink(ctx, id, body)
    return { message: 'It does not sign you in any more.' }
  },
})
