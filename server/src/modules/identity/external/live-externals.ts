import type { App, SystemRole, WorkspaceRole } from '../../../platform/context.ts'
import { defineService } from '../../../platform/service.ts'
import * as users from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { type ActorCache, type CachedActor, createActorCache } from '../sessions/actor-cache.ts'
import { mustEnrol } from '../mfa/duty.ts'
import type { Asserted } from '../oidc/provider.ts'
import { find, see } from '../oidc/store.ts'

/** A user of another issuer with all that a request's permission depends on. */
export interface LiveExternal extends CachedActor {
  readonly user_id: string
  readonly is_active: boolean
  /** A second factor is asked of them, and they have none. */
  readonly must_enrol: boolean
  readonly role: SystemRole
  readonly plan: string
  /** The workspace that requests act in unless they name another: the personal one. */
  readonly home: string
  readonly memberships: ReadonlyMap<string, WorkspaceRole>
}

const maxCached = 50_000
const seenEveryMs = 3_600_000

/** A subject has no line breaks, and so a name has one reading. */
export const nameOf = ({ issuer, subject }: Pick<Asserted, 'issuer' | 'subject'>): string => `${subject}\n${issuer}`

/** The users of other issuers that this process has seen. Two round trips on first sight, none afterwards. */
export const liveExternals = defineService<ActorCache<LiveExternal>>({
  name: 'identity.externals',
  create: (app) => createActorCache({ now: app.now, max: maxCached, load: (name) => read(app, name) }),
})

const read = async (app: App, name: string): Promise<LiveExternal | null> => {
  const cut = name.indexOf('\n')
  const system = app.asSystem('look up the user of an access token of another issuer')
  const identity = await find(system.db, name.slice(cut + 1), name.slice(0, cut))
  if (identity === undefined) return null
  const { id, user_id, email, last_used_at } = identity
  const [user, memberships] = await Promise.all([users.byId(system, user_id), workspaces.membershipsOf(system, user_id)])
  const home = memberships.find(({ is_personal }) => is_personal) ?? memberships[0]
  if (user === null) return null
  if (app.now() - Date.parse(last_used_at) > seenEveryMs) await system.tx((tx) => see(tx.db, id, email, new Date(app.now()).toISOString()))
  return {
    id: name,
    user_id,
    user_ids: [user_id],
    is_active: user.is_active,
    must_enrol: await mustEnrol(system, user),
    role: user.role,
    plan: user.plan,
    home: home?.workspace_id ?? '',
    memberships: new Map(memberships.map(({ workspace_id, role }) => [workspace_id, role])),
  }
}
