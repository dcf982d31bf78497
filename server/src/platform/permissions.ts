import type { Actor, SystemRole, WorkspaceRole } from './context.ts'
import type { Module } from './module.ts'

/** Which role has which permissions: of the installation, and in a workspace. What a role does not name it does not have. */
export interface Roles {
  readonly system: { readonly [role in SystemRole]: readonly string[] }
  readonly workspace: { readonly [role in WorkspaceRole]: readonly string[] }
}

/** Why an actor may not: their role does not have it, their API key does not, it takes a session of one's own, or a second factor first. */
export type Refusal = 'role' | 'key' | 'session' | 'enrolment'

/** One permission with all that decides it. */
export interface Permission {
  readonly name: string
  readonly doc: string
  /** Only who has signed in: no API key, no token of a foreign issuer, nobody who acts for somebody else. */
  readonly session_only: boolean
  readonly system_roles: ReadonlySet<SystemRole>
  readonly workspace_roles: ReadonlySet<WorkspaceRole>
}

/** The permissions of an app, by name. */
export type Permissions = ReadonlyMap<string, Permission>

export const permissionsOf = (modules: readonly Pick<Module, 'permissions'>[], roles: Roles): Permissions => {
  const declared = modules.flatMap(({ permissions = {} }) => Object.entries(permissions))
  return new Map(
    declared.map(([name, { doc, session_only = false }]) => [
      name,
      { name, doc, session_only, system_roles: rolesWith(roles.system, name), workspace_roles: rolesWith(roles.workspace, name) },
    ]),
  )
}

const rolesWith = <Role extends string>(granted: { readonly [role in Role]: readonly string[] }, name: string): ReadonlySet<Role> =>
  new Set((Object.keys(granted) as Role[]).filter((role) => granted[role].includes(name)))

/** Whether an actor has a permission: null, or why not. The product's own work (`system`) may do everything; who is not signed in, nothing. */
export const refusalOf = (permission: Permission, actor: Actor): Refusal | null => {
  if (actor.type === 'system') return null
  if (actor.type === 'anonymous') return 'session'
  if (!permission.system_roles.has(actor.role) && !permission.workspace_roles.has(actor.workspace_role)) return 'role'
  const { via } = actor
  if (via.must_enrol === true && !permission.name.startsWith('account:')) return 'enrolment'
  if (permission.session_only && (via.type !== 'session' || actor.impersonator_id !== null)) return 'session'
  return via.type === 'api_key' && !via.permissions.has(permission.name) ? 'key' : null
}
