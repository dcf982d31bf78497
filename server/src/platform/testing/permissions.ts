import type { WorkspaceRole } from '../context.ts'
import { type Permissions, permissionsOf } from '../permissions.ts'

/** The least role that has a permission: everybody, a member of a workspace from that role on, or an admin of the installation. */
export type Least = { readonly [permission: string]: 'everyone' | WorkspaceRole | 'system_admin' }

/** Permissions for a test of the platform, which knows no roles of the product. `signed:in` is everybody's. */
export const permissionsFrom = (least: Least): Permissions => {
  const all: Least = { 'signed:in': 'everyone', ...least }
  const from = (...wanted: readonly Least[string][]): string[] =>
    Object.keys(all).filter((name) => wanted.includes(all[name] as Least[string]))
  const declared = { permissions: Object.fromEntries(Object.keys(all).map((name) => [name, { doc: name }])) }
  return permissionsOf([declared], {
    system: { user: from('everyone'), admin: from('everyone', 'system_admin') },
    workspace: {
      viewer: from('viewer'),
      member: from('viewer', 'member'),
      admin: from('viewer', 'member', 'admin'),
      owner: from('viewer', 'member', 'admin', 'owner'),
    },
  })
}
