import { isUuid } from '../../../lib/id.ts'
import type { App, Ctx } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import type { Credentials, Identified } from '../../../platform/http/authenticate.ts'
import { errors as workspaceErrors } from '../../workspaces/errors.ts'
import { errors as authErrors } from '../errors.ts'
import { requireProof } from '../mfa/proof.ts'
import type { Proof } from '../mfa/schema.ts'
import { personOf, subjectOf } from '../oidc/claims.ts'
import { errors as oidcErrors } from '../oidc/errors.ts'
import { recognise, type Visitor } from '../oidc/identities.ts'
import { link } from '../oidc/linking.ts'
import * as sessions from '../sessions/sessions.ts'
import { errors } from './errors.ts'
import { type LiveExternal, liveExternals, nameOf } from './live-externals.ts'
import type { Verify } from './published-keys.ts'
import { externalService } from './service.ts'
import { checkClaims, type Claims, peek } from './token.ts'

const refused = { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }

/**
 * Turns an access token of another issuer into an actor: null when it is none of an issuer that is configured. At once when the issuer's key and
 * the user are in memory. On first sight the user gets an account, or the one that is theirs: see `recognise`, whose errors these are, besides 401
 * `auth.token_invalid`, 401 `auth.token_expired`, 404 `workspaces.not_found` and 503 `auth.issuer_unavailable`.
 */
export const externalActor = (app: App, token: string, credentials: Credentials): Identified | Promise<Identified> | null => {
  const visitor = visitorOf(app, token)
  if (visitor === null) return null
  return visitor instanceof Promise ? visitor.then((found) => actorOf(app, found, credentials)) : actorOf(app, visitor, credentials)
}

/** Gives the user of an access token of another issuer to the account of the caller. Errors: 422 `auth.external_token_invalid`, and those of `link`. */
export const linkToken = async (ctx: Ctx, token: string, proof: Proof): Promise<void> => {
  const { session_id } = sessions.caller(ctx)
  await requireProof(ctx, proof)
  const visitor = await visitorOrNull(ctx, token)
  if (visitor === null) throw errors.external_token_invalid()
  await link(ctx, visitor, session_id)
}

const visitorOrNull = async (ctx: Ctx, token: string): Promise<Visitor | null> => {
  try {
    return await visitorOf(ctx, token)
  } catch (error) {
    if (error instanceof Problem && error.declaration.status === 401) return null
    throw error
  }
}

/** Whom a token is of, once it is checked; null when it is none of an issuer that is configured. */
const visitorOf = (app: App, token: string): Visitor | Promise<Visitor> | null => {
  const { issuers, secret, keys } = app.use(externalService)
  if (secret === null && keys === null) return null
  const said = peek(token)
  if (said === null) return null
  if (secret !== null && issuers.supabase !== null && said.alg === 'HS256') {
    const { issuer } = issuers.supabase
    return checked(app, secret, token, { issuer, audience: 'authenticated' }, issuer ?? 'supabase', 'Supabase')
  }
  if (keys === null || issuers.published === null || said.iss !== issuers.published.issuer) return null
  const { issuer } = issuers.published
  const check = (verify: Verify | null): Visitor => checked(app, verify, token, issuers.published as Expected, issuer, issuer)
  const verify = keys.find(said.kid, said.alg)
  return verify instanceof Promise ? verify.then(check) : check(verify)
}

interface Expected {
  readonly issuer: string | null
  readonly audience: string
}

const checked = (app: App, verify: Verify | null, token: string, expected: Expected, issuer: string, label: string): Visitor => {
  if (verify === null) throw authErrors.token_invalid(refused)
  const { header, payload } = signed(verify, token)
  checkClaims(header, payload, expected, app.now())
  const subject = subjectOf(payload['sub'])
  if (subject === null) throw authErrors.token_invalid(refused)
  return {
    issuer,
    subject,
    provider: null,
    label,
    ...personOf({ email: payload['email'], verified: payload['email_verified'], name: payload['name'] }),
  }
}

const signed = (verify: Verify, token: string): { readonly header: Claims; readonly payload: Claims } => {
  try {
    return verify(token)
  } catch (cause) {
    throw authErrors.token_invalid({ ...refused, cause })
  }
}

const actorOf = (app: App, visitor: Visitor, credentials: Credentials): Identified | Promise<Identified> => {
  const known = app.use(liveExternals).get(nameOf(visitor), null)
  return known === null || known instanceof Promise ? onFirstSight(app, visitor, known, credentials) : identify(known, visitor, credentials)
}

const onFirstSight = async (
  app: App,
  visitor: Visitor,
  reading: Promise<LiveExternal | null> | null,
  credentials: Credentials,
): Promise<Identified> => {
  const known = await reading
  if (known !== null) return identify(known, visitor, credentials)
  const client = { address: credentials.ip, user_agent: credentials.user_agent }
  await recognise(app.context({ actor: { type: 'anonymous' }, workspace_id: null, request_id: app.newId(), client }), visitor)
  const made = await app.use(liveExternals).get(nameOf(visitor), null)
  if (made === null) throw authErrors.token_invalid(refused)
  return identify(made, visitor, credentials)
}

const identify = (live: LiveExternal, { issuer }: Visitor, { workspace_id: wanted }: Credentials): Identified => {
  if (!live.is_active) throw oidcErrors.account_inactive()
  const workspace_id = wanted === null ? live.home : isUuid(wanted) ? wanted.toLowerCase() : ''
  const workspace_role = live.memberships.get(workspace_id)
  if (workspace_role === undefined) throw workspaceErrors.not_found()
  const { user_id, role, plan, must_enrol } = live
  return {
    actor: { type: 'user', user_id, role, plan, workspace_role, via: { type: 'external', issuer, must_enrol }, impersonator_id: null },
    workspace_id,
  }
}
