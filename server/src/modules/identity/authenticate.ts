import { isUuid } from '../../lib/id.ts'
import type { Authenticate, Credentials, Identified } from '../../platform/http/authenticate.ts'
import type { App } from '../../platform/context.ts'
import { errors as workspaceErrors } from '../workspaces/errors.ts'
import type { Claims } from './sessions/access-tokens.ts'
import { errors } from './errors.ts'
import { externalActor } from './external/external.ts'
import { withKey } from './keys/authenticate.ts'
import { errors as keyErrors } from './keys/errors.ts'
import { isMeantAsKey } from './keys/key-format.ts'
import { sessionCache, tokenKeys, type LiveSession } from './services.ts'

const anonymous: Identified = { actor: { type: 'anonymous' }, workspace_id: null }

const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' }

/**
 * Turns an access token or an API key into an actor. The usual case, a known key and a session in memory, takes one pass and no turn of the event
 * loop. What a request may do comes from the session as it is now, never from what the token once said.
 */
export const authenticate: Authenticate = (app, credentials) => {
  const { bearer, api_key } = credentials
  if (api_key !== null && bearer !== null && api_key !== bearer) throw keyErrors.credentials_conflict({ headers: challenge })
  if (api_key !== null) return withKey(app, api_key, credentials)
  if (bearer === null) return anonymous
  if (isMeantAsKey(bearer)) return withKey(app, bearer, credentials)
  const external = externalActor(app, bearer, credentials)
  if (external !== null) return external
  const claims = app.use(tokenKeys).current().verify(bearer, app.now())
  return claims === null ? verifyAnew(app, bearer, credentials) : withSession(app, claims, credentials)
}

/** Another process may have rotated the keys a moment ago. */
const verifyAnew = async (app: App, bearer: string, credentials: Credentials): Promise<Identified> => {
  const claims = (await app.use(tokenKeys).lookAgain()).verify(bearer, app.now())
  if (claims === null) throw errors.token_invalid({ headers: challenge })
  return withSession(app, claims, credentials)
}

const withSession = (app: App, claims: Claims, credentials: Credentials): Identified | Promise<Identified> => {
  const session = app.use(sessionCache).get(claims.sid, claims.sub)
  return session instanceof Promise
    ? session.then((found) => identify(app, claims, found, credentials))
    : identify(app, claims, session, credentials)
}

const identify = (app: App, claims: Claims, session: LiveSession | null, { workspace_id: wanted }: Credentials): Identified => {
  if (session === null || session.expires_at <= app.now()) throw errors.session_revoked({ headers: challenge })
  const workspace_id = wanted === null ? claims.wid : isUuid(wanted) ? wanted.toLowerCase() : ''
  const workspace_role = session.memberships.get(workspace_id)
  if (workspace_role === undefined) {
    // A client that is told its token is outdated refreshes by itself and gets one for a workspace that it still has.
    throw wanted === null ? errors.token_expired({ headers: challenge }) : workspaceErrors.not_found()
  }
  return {
    actor: {
      type: 'user',
      user_id: session.user_id,
      role: session.role,
      workspace_role,
      plan: session.plan,
      via: session.via,
      impersonator_id: session.impersonator_id,
    },
    workspace_id,
  }
}
