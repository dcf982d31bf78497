import { createHash, timingSafeEqual } from 'node:crypto'
import type { Ctx } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import * as oneTime from '../one-time-tokens.ts'
import { requireProof } from '../mfa/proof.ts'
import * as sessions from '../sessions/sessions.ts'
import type { Client, Tokens } from '../sessions/sessions.ts'
import { signIn } from '../sign-in/sign-in.ts'
import { browserHash } from './browser-cookie.ts'
import { errors } from './errors.ts'
import { recognise } from './identities.ts'
import { link } from './linking.ts'
import type { Provider } from './provider.ts'
import { requireReturnAddress } from './return-address.ts'
import type { Callback, Exchange, LinkStart, Start } from './schema.ts'
import { oidcService } from './service.ts'

const flowLifeMs = 600_000
const codeLifeMs = 60_000

/** What is kept of a sign-in between its start and its end. The browser is known by the hash of its cookie. */
interface Flow {
  readonly provider: string
  readonly browser: string
  readonly redirect_to: string
  readonly remember_me: boolean
  readonly use_cookie: boolean
  readonly code_challenge: string | null
  /** The session whose account gets the identity; null for a sign-in. */
  readonly link_session_id: string | null
}

/** With whom people may sign in, in the order of the configuration. */
export const providers = (ctx: Ctx): readonly Pick<Provider, 'name' | 'label'>[] =>
  [...ctx.use(oidcService).providers.values()].map(({ name, label }) => ({ name, label }))

/**
 * Begins a sign-in: the address of the provider that the browser goes to. `browser` is what its cookie holds.
 * Errors: 404 `auth.provider_not_found`, 422 `auth.redirect_refused`, 503 `auth.provider_unavailable`.
 */
export const begin = (ctx: Ctx, name: string, input: Start, browser: string): Promise<string> => start(ctx, name, input, browser, null)

/**
 * The same for somebody who is signed in and wants to sign in with the provider from now on. Errors: also those of `requireProof`.
 */
export const beginLink = async (ctx: Ctx, name: string, { redirect_to, ...proof }: LinkStart, browser: string): Promise<string> => {
  const caller = sessions.caller(ctx)
  providerOf(ctx, name)
  await requireProof(ctx, proof)
  return start(ctx, name, redirect_to === undefined ? {} : { redirect_to }, browser, caller)
}

const start = async (
  ctx: Ctx,
  name: string,
  input: Start,
  browser: string,
  linking: ReturnType<typeof sessions.caller> | null,
): Promise<string> => {
  const provider = providerOf(ctx, name)
  const flow: Flow = {
    provider: name,
    browser: browserHash(browser),
    redirect_to: requireReturnAddress(ctx, input.redirect_to ?? '/'),
    remember_me: input.remember_me ?? false,
    use_cookie: input.use_cookie ?? false,
    code_challenge: input.code_challenge ?? null,
    link_session_id: linking?.session_id ?? null,
  }
  // With the account it goes when all links of the account go: after a reset of the password, for one.
  const token = {
    purpose: 'oidc_flow',
    user_id: linking?.user_id ?? null,
    life_ms: flowLifeMs,
    beside_older: true,
    data: { ...flow },
  } as const
  const state = await ctx.asSystem('begin a sign-in with a provider').tx((tx) => oneTime.give(tx, token))
  return (await provider.authorizationUrl(ctx.use(oidcService).secretsOf(state), callbackOf(ctx, name))).href
}

/** Nothing but the configuration decides it: a provider compares it character by character. */
const callbackOf = (ctx: Ctx, name: string): string => `${ctx.use(httpService).url()}/api/v1/auth/oidc/${name}/callback`

const providerOf = (ctx: Ctx, name: string): Provider => {
  const provider = ctx.use(oidcService).providers.get(name)
  if (provider === undefined) throw errors.provider_not_found()
  return provider
}

/**
 * The browser is back from the provider: answers where it goes from here, with a code for the exchange or the name of an error in the fragment,
 * which no server and no log gets to see. Only what cannot be tied to a sign-in of this browser is thrown: 400 `auth.flow_invalid`,
 * 404 `auth.provider_not_found`, 422 `auth.redirect_refused`.
 */
export const finish = async (ctx: Ctx, name: string, parameters: Callback, browser: string | null): Promise<string> => {
  const provider = providerOf(ctx, name)
  const flow = await takeFlow(ctx, name, parameters.state, browser)
  // Once more: the list of origins may have changed since.
  const target = requireReturnAddress(ctx, flow.redirect_to)
  try {
    const secrets = ctx.use(oidcService).secretsOf(parameters.state)
    const person = await provider.identify(secrets, callbackOf(ctx, name), new URLSearchParams(textsOf(parameters)))
    const visitor = { ...person, provider: name, label: provider.label }
    if (flow.link_session_id !== null) {
      await link(ctx, visitor, flow.link_session_id)
      return withFragment(target, { linked: name })
    }
    return withFragment(target, { code: await giveCode(ctx, await recognise(ctx, visitor), flow) })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return withFragment(target, { error: error.code, error_description: error.declaration.title })
  }
}

const withFragment = (address: string, fields: { readonly [name: string]: string }): string =>
  `${address}#${new URLSearchParams(fields).toString()}`

const textsOf = (parameters: Callback): [string, string][] =>
  (['state', 'code', 'iss', 'error', 'error_description'] as const).flatMap((name): [string, string][] => {
    const value = parameters[name]
    return value === undefined ? [] : [[name, value]]
  })

/** The sign-in that a state belongs to, which is used up with it. Another browser's is left alone. */
const takeFlow = async (ctx: Ctx, name: string, state: string, browser: string | null): Promise<Flow> => {
  const system = ctx.asSystem('go on with a sign-in with a provider')
  const seen = (await oneTime.look(system, state, 'oidc_flow'))?.data as Flow | undefined
  if (seen === undefined || browser === null || seen.browser !== browserHash(browser) || seen.provider !== name) throw errors.flow_invalid()
  const taken = await system.tx((tx) => oneTime.take(tx, state, 'oidc_flow'))
  if (taken === null) throw errors.flow_invalid()
  return seen
}

const giveCode = (ctx: Ctx, user_id: string, { browser, remember_me, use_cookie, code_challenge }: Flow): Promise<string> =>
  ctx.asSystem('give out a code for the tokens of who signed in with a provider').tx((tx) =>
    oneTime.give(tx, {
      ...{ purpose: 'oidc_code', user_id, life_ms: codeLifeMs, beside_older: true },
      data: { browser, remember_me, use_cookie, code_challenge },
    }),
  )

/**
 * Opens the session that a code stands for. With the code has to come what shows that it was not planted: the verifier of the challenge
 * that the app gave at the start, else the cookie of the browser that signed in. Errors: 401 `auth.oidc_code_invalid`, and those of `signIn`.
 */
export const exchange = async (
  ctx: Ctx,
  input: Exchange,
  browser: string | null,
  client: Client,
): Promise<{ readonly tokens: Tokens; readonly use_cookie: boolean }> => {
  const seen = await oneTime.look(ctx.asSystem('find who a code of a sign-in stands for'), input.code, 'oidc_code')
  const flow = seen?.data as unknown as Flow | undefined
  if (!seen?.user_id || flow === undefined || !isOwn(flow, input.code_verifier, browser)) throw errors.oidc_code_invalid()
  const tokens = await signIn(ctx, {
    user_id: seen.user_id,
    method: 'oidc',
    remember_me: flow.remember_me,
    client,
    first: async (tx) => ((await oneTime.take(tx, input.code, 'oidc_code')) === null ? errors.oidc_code_invalid() : null),
  })
  return { tokens, use_cookie: flow.use_cookie }
}

const isOwn = (flow: Flow, verifier: string | undefined, browser: string | null): boolean => {
  if (flow.code_challenge === null) return browser !== null && same(flow.browser, browserHash(browser))
  return verifier !== undefined && same(flow.code_challenge, createHash('sha256').update(verifier).digest('base64url'))
}

const same = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
