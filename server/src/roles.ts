import type { Roles } from './platform/permissions.ts'

// What everybody may who has an account, whatever their workspace.
const user = ['account:read', 'account:write', 'account:security', 'workspaces:create', 'workspaces:restore']

const viewer = ['workspace:read', 'workflows:read', 'workflows:approve']
const member = [...viewer, 'workflows:write', 'workflows:execute', 'integrations:read', 'integrations:use']
const admin = [...member, 'workspace:manage', 'integrations:write', 'audit:read']
const owner = [...admin, 'workspace:own']

/**
 * THE list of who may do what. Modules declare permissions; this page gives them to roles: those of the installation, and those a
 * member has in a workspace. An API key has at most the permissions of its owner.
 */
export const roles: Roles = {
  system: {
    user,
    admin: [
      ...user,
      'users:read',
      'users:manage',
      'users:appoint',
      'users:impersonate',
      'keys:read_all',
      'mails:read',
      'audit:read_all',
      'health:read',
    ],
  },
  workspace: { viewer, member, admin, owner },
}
