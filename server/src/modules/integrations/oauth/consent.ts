import { createHash, randomBytes } from 'node:crypto'
import type { Ctx } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import { invalid } from '../../../platform/http/validate.ts'
import { secrets } from '../../../platform/secrets.ts'
import * as identity from '../../identity/identity.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import { about, nowOf, workspaceOf } from '../integrations.ts'
import { openOne } from '../opened.ts'
import * as store from '../store.ts'
import { callback_path, hashOf } from './browser.ts'
import * as consents from './consent-store.ts'
import { askForTokens, type Config } from './token-endpoint.ts'
import { sealTokens } from './tokens.ts'

export const life_s = 600

/** Nothing but the configuration decides it: a service compares it character by character. */
const redirectUri = (ctx: Ctx): string => `${ctx.use(httpService).url()}/api/v1${callback_path}`

const sealedFor = (state_hash: string): string => `integrations/consents/${state_hash}`

/** A path of this installation, and nothing that a browser could read as another one. The fragment is where the result goes. */
const returnAddress = (ctx: Ctx, path: string): string => {
  const own = ctx.use(httpService).url()
  const url = /^\/(?!\/)[\x21-\x5b\x5d-\x7e]*$/.test(path) && !path.includes('#') ? URL.parse(path, own) : null
  if (url === null || url.origin !== new URL(own).origin || url.pathname.startsWith('//'))
    throw invalid([{ path: 'redirect_to', message: 'is not a path of this installation' }])
  return url.href
}

const callerOf = ({ actor }: Ctx): { readonly user_id: string; readonly session_id: string } => {
  if (actor.type !== 'user' || actor.via.type !== 'session') throw httpErrors.forbidden({ detail: 'This takes a session of a browser.' })
  return { user_id: actor.user_id, session_id: actor.via.session_id }
}

/**
 * Begins to ask for somebody's consent at a service: the address that the browser goes to. `browser` is what its cookie holds. Errors: 404
 * `integrations.not_found`, 422 `integrations.not_usable` for what asks for no consent.
 */
export const begin = async (ctx: Ctx, id: string, redirect_to: string, browser: string): Promise<string> => {
  const caller = callerOf(ctx)
  const { row, type } = await openOne(ctx, workspaceOf(ctx), id)
  if (type.needs_consent?.(row.config) !== true) throw errors.not_usable({ detail: 'This integration asks for no consent.' })
  const target = returnAddress(ctx, redirect_to)
  const [state, verifier] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')]
  const state_hash = hashOf(state)
  await ctx.tx(async (tx) => {
    await consents.deleteExpired(tx.db, nowOf(tx))
    await consents.insert(tx.db, {
      ...{ state_hash, integration_id: id, workspace_id: row.workspace_id, ...caller },
      browser_hash: hashOf(browser),
      verifier: tx.use(secrets).seal(sealedFor(state_hash), verifier),
      redirect_to: target,
      revision: row.revision,
      created_at: nowOf(tx),
      expires_at: new Date(tx.now() + life_s * 1000).toISOString(),
    })
  })
  return authorizationUrl(ctx, row.config as Config, state, verifier)
}

const authorizationUrl = (ctx: Ctx, config: Config, state: string, verifier: string): string => {
  const url = new URL(config.authorization_url ?? '')
  const { client_id, scopes = [], authorization_params = {} } = config
  const own = {
    response_type: 'code',
    client_id,
    redirect_uri: redirectUri(ctx),
    ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }
  // Its own come last: nothing that is configured replaces them.
  for (const [name, value] of Object.entries({ ...authorization_params, ...own })) url.searchParams.set(name, value)
  return url.href
}

export interface Returned {
  readonly state: string
  readonly code?: string
  readonly iss?: string
  readonly error?: string
}

/**
 * The browser is back from the service: answers where it goes from here, with `connected` or the name of an error in the fragment. Only what
 * cannot be tied to a start by this browser, in a session that goes on, is thrown: 400 `integrations.consent_invalid`.
 */
export const finish = async (ctx: Ctx, returned: Returned, browser: string | null): Promise<string> => {
  const consent = await take(ctx, returned.state, browser)
  try {
    await exchange(ctx, consent, returned)
    return `${consent.redirect_to}#connected=${consent.integration_id}`
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return `${consent.redirect_to}#${new URLSearchParams({ error: error.code, error_description: error.declaration.title }).toString()}`
  }
}

/** What a state belongs to, which is used up with it. Another browser's is left alone. */
const take = async (ctx: Ctx, state: string, browser: string | null): Promise<consents.ConsentRow> => {
  const system = ctx.asSystem('go on with a consent that somebody began to give')
  const consent = await consents.find(system.db, hashOf(state), nowOf(ctx))
  if (consent === undefined || browser === null || consent.browser_hash !== hashOf(browser)) throw errors.consent_invalid()
  if (!(await system.tx((tx) => consents.take(tx.db, consent.state_hash)))) throw errors.consent_invalid()
  if (!(await mayGoOn(system, consent)))
    throw errors.consent_invalid({ detail: 'The session has ended, or its user may not do this any more.' })
  return consent
}

const mayGoOn = async (system: Ctx, { user_id, session_id, workspace_id }: consents.ConsentRow): Promise<boolean> => {
  if (!(await identity.sessionGoesOn(system, user_id, session_id))) return false
  const role = (await workspaces.membershipsOf(system, user_id)).find((membership) => membership.workspace_id === workspace_id)?.role
  return role !== undefined && system.permissions.get('integrations:write')?.workspace_roles.has(role) === true
}

const exchange = async (ctx: Ctx, consent: consents.ConsentRow, { code, iss, error }: Returned): Promise<void> => {
  const { integration_id: id, workspace_id, revision, state_hash } = consent
  const system = ctx.asSystem('take the tokens of a service', workspace_id)
  const opened = await openOne(system, workspace_id, id)
  const { issuer } = opened.row.config as Config
  if (opened.row.revision !== revision) throw errors.consent_outdated()
  if (error !== undefined || code === undefined) throw errors.consent_refused()
  if (issuer !== undefined && iss !== undefined && iss !== issuer) throw errors.consent_refused({ detail: 'Another issuer answered.' })
  const code_verifier = await system.use(secrets).open(sealedFor(state_hash), consent.verifier)
  const grant = { grant_type: 'authorization_code', code, redirect_uri: redirectUri(ctx), code_verifier }
  const tokens = await askForTokens(system, opened, grant, null)
  await system.tx(async (tx) => {
    const row = await store.lockSealed(tx.db, workspace_id, id)
    if (row === undefined || !(await store.putTokens(tx.db, id, revision, sealTokens(tx, id, tokens)))) throw errors.consent_outdated()
    await store.putHealth(tx.db, id, { status: 'ok', error: null, at: nowOf(tx) })
    tx.onBehalfOf(consent.user_id)
    tx.emit(events.connected, about(row))
  })
}
