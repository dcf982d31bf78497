import type { Actor, SystemRole, Via, WorkspaceRole } from '../server/src/platform/context.ts'
import { type Permissions, refusalOf } from '../server/src/platform/permissions.ts'
import type { Route } from '../server/src/platform/http/route.ts'

/** Who a route is asked by, in the order of the columns. */
export const callers = [
  'nobody',
  'viewer',
  'member',
  'admin',
  'owner',
  'installation admin',
  'key with it',
  'key without',
  'impersonated',
  'foreign token',
] as const
export type Caller = (typeof callers)[number]

export const meaning: { readonly [caller in Caller]: string } = {
  nobody: 'no credentials',
  viewer: 'signed in, and a viewer of the workspace',
  member: 'a member of it',
  admin: 'an admin of it',
  owner: 'an owner of it',
  'installation admin': 'an admin of the installation, who is a viewer of the workspace',
  'key with it': "an owner's API key that has the permission, where a key can have it",
  'key without': "an owner's API key that has some other permission alone",
  impersonated: 'an owner, as whom an admin of the installation acts',
  'foreign token': 'an owner, with a token of a foreign issuer',
}

/** One line of the matrix: `yes`, or the status of the refusal, by caller. */
export interface AccessRow {
  /** `GET /api/v1/users/{id}`. */
  readonly route: string
  readonly allow: string
  readonly answers: readonly ('yes' | '401' | '403')[]
}

/** The permission that the second kind of key has: one that no other is implied by. */
export const otherPermission = (allow: string): string => (allow === 'account:read' ? 'workspace:read' : 'account:read')

/** Every route with who may call it, worked out of the declarations alone. */
export const accessMatrix = (routes: readonly Route[], permissions: Permissions): readonly AccessRow[] =>
  routes
    .flatMap((route) => ('raw' in route ? [] : [route]))
    .map(({ method, path, root, allow }) => ({
      route: `${method} ${root ? '' : '/api/v1'}${path}`,
      allow,
      answers: callers.map((caller) => answerTo(caller, allow, permissions)),
    }))
    .toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : pathOf(a) > pathOf(b) ? 1 : 0))

const pathOf = ({ route }: AccessRow): string => route.slice(route.indexOf(' ')) + route

const answerTo = (caller: Caller, allow: string, permissions: Permissions): 'yes' | '401' | '403' => {
  const permission = permissions.get(allow)
  if (permission === undefined) return 'yes'
  if (caller === 'nobody') return '401'
  return refusalOf(permission, actorOf(caller, allow)) === null ? 'yes' : '403'
}

const actorOf = (caller: Exclude<Caller, 'nobody'>, allow: string): Actor => {
  const key = (permission: string): Via => ({ type: 'api_key', key_id: '', permissions: new Set([permission]), requests_per_hour: null })
  const session: Via = { type: 'session', session_id: '' }
  const user = (role: SystemRole, workspace_role: WorkspaceRole, via: Via, impersonator_id: string | null = null): Actor => ({
    ...{ type: 'user', user_id: '', plan: 'enterprise' },
    ...{ role, workspace_role, via, impersonator_id },
  })
  switch (caller) {
    case 'installation admin':
      return user('admin', 'viewer', session)
    case 'key with it':
      return user('user', 'owner', key(allow))
    case 'key without':
      return user('user', 'owner', key(otherPermission(allow)))
    case 'impersonated':
      return user('user', 'owner', session, 'an admin')
    case 'foreign token':
      return user('user', 'owner', { type: 'external', issuer: '' })
    default:
      return user('user', caller, session)
  }
}
