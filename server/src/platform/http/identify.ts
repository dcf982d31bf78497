import { isUuid } from '../../lib/id.ts'
import { Problem } from '../errors.ts'
import type { Credentials, Identified } from './authenticate.ts'
import type { Endpoint } from './endpoint.ts'
import type { Exchange } from './exchange.ts'

const nobody: Identified = { actor: { type: 'anonymous' }, workspace_id: null }

/** Who asks. At once when what that takes is in memory, or when there are no credentials. */
export const identify = (endpoint: Endpoint, exchange: Exchange): Identified | Promise<Identified> => {
  const { headers } = exchange.incoming
  const { authorization } = headers
  const api_key = headers['x-api-key']
  if (authorization === undefined && api_key === undefined) return nobody
  const { workspace } = endpoint.route
  const workspace_id = workspace === undefined ? headers['x-workspace-id'] : named(exchange.params[workspace])
  const credentials: Credentials = {
    bearer: authorization === undefined ? null : bearerOf(authorization),
    api_key: typeof api_key === 'string' ? api_key : null,
    workspace_id: typeof workspace_id === 'string' ? workspace_id : null,
    ip: exchange.ip,
    user_agent: exchange.user_agent,
  }
  if (endpoint.route.allow !== 'public') return endpoint.house.authenticate(endpoint.house.app, credentials)
  // A public route is there for everybody: who brings an outdated token to the sign-in is nobody, not an intruder.
  try {
    const identified = endpoint.house.authenticate(endpoint.house.app, credentials)
    return identified instanceof Promise ? identified.catch(orNobody) : identified
  } catch (error) {
    return orNobody(error)
  }
}

const orNobody = (error: unknown): Identified => {
  if (error instanceof Problem && error.declaration.status < 500) return nobody
  throw error
}

/** A parameter that is no id leads to a 422 when the path is validated. */
const named = (id: string | undefined): string | undefined => (id !== undefined && isUuid(id) ? id : undefined)

const bearerOf = (authorization: string): string | null =>
  authorization.length > 7 && authorization.slice(0, 7).toLowerCase() === 'bearer ' ? authorization.slice(7).trim() : null
