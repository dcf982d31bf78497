import type { Role } from './link.ts'

/** Whose eyes the row-level policies look through. */
export interface Scope {
  /** `millrace_app` sees what the policies give to this user in this workspace; `millrace_system` sees everything. */
  readonly role: Role
  readonly user_id: string | null
  readonly workspace_id: string | null
}

/** Sets the scope for the statements that follow on the same connection. Part of a statement, never of a query text of ours. */
export const setScope = `select set_config('millrace.user_id', $1, false), set_config('millrace.workspace_id', $2, false)`

export const scopeParameters = (scope: Scope): readonly [string, string] => [scope.user_id ?? '', scope.workspace_id ?? '']

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Opens a transaction in one message. It may write, which the connection's own default does not allow. */
export const beginInScope = (scope: Scope): string =>
  `begin read write; select set_config('role', '${scope.role}', true), ` +
  `set_config('millrace.user_id', '${literal(scope.user_id)}', true), set_config('millrace.workspace_id', '${literal(scope.workspace_id)}', true)`

const literal = (id: string | null): string => {
  if (id === null) return ''
  if (!uuid.test(id)) throw new TypeError('A scope is made of UUIDs.')
  return id
}
