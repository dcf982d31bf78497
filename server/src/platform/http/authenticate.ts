import type { Actor, App } from '../context.ts'

/** The credentials a request carries, before anyone has looked at them. */
export interface Credentials {
  /** The value after `Bearer `, or null. */
  readonly bearer: string | null
  readonly api_key: string | null
  /** `X-Workspace-Id`, or null for the token's current workspace. */
  readonly workspace_id: string | null
  readonly ip: string
  readonly user_agent: string | null
}

export interface Identified {
  readonly actor: Actor
  readonly workspace_id: string | null
}

/**
 * Turns credentials into an actor. Synchronous when what it needs is in memory, which is the usual case and costs no turn
 * of the event loop. Throws a 401 `Problem` for credentials that are present and not valid, 404 for a workspace that the caller
 * does not belong to; answers `anonymous` when there are none.
 */
export type Authenticate = (app: App, credentials: Credentials) => Identified | Promise<Identified>
