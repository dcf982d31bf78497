import type { Actor, WorkspaceRole } from '../context.ts'
import type { PermissionDeclaration } from '../module.ts'
import { httpErrors } from './errors.ts'
import type { Allow } from './route.ts'

export type Permissions = { readonly [permission: string]: PermissionDeclaration }

const rank: { readonly [role in WorkspaceRole]: number } = { viewer: 1, member: 2, admin: 3, owner: 4 }

/** Refuses the actor with a 401 or 403 problem, or returns. */
export type Admit = (actor: Actor) => void

/**
 * The check of one route, made when it is mounted: a permission that no module declares is a mistake found at boot. The
 * product's own work (`system`) may do everything.
 */
export const admitBy = (allow: Allow, permissions: Permissions): Admit => {
  if (allow === 'public') return () => undefined
  if (allow === 'signed_in') return signedIn
  const permission = permissions[allow]
  if (permission === undefined) throw new Error(`No module declares the permission '${allow}'.`)
  const { least } = permission
  return (actor) => {
    signedIn(actor)
    if (actor.type !== 'user') return
    const has = least === 'system_admin' ? actor.role === 'admin' : rank[actor.workspace_role] >= rank[least]
    if (!has) throw httpErrors.forbidden({ detail: `This needs the permission ${allow}.`, extra: { permission: allow } })
  }
}

const signedIn: Admit = (actor) => {
  if (actor.type === 'anonymous') throw httpErrors.unauthenticated({ headers: { 'www-authenticate': 'Bearer' } })
}
