import type { WorkspaceRole } from '../../../platform/context.ts'

const ranks: { readonly [role in WorkspaceRole]: number } = { viewer: 0, member: 1, admin: 2, owner: 3 }

/**
 * Whether somebody of the role `by` may make somebody of the role `from` one of the role `to`; null is no member. Nobody gives or takes
 * away a role above their own, so only owners make and unmake owners.
 */
export const mayChange = (by: WorkspaceRole, from: WorkspaceRole | null, to: WorkspaceRole | null): boolean =>
  [from, to].every((role) => role === null || ranks[role] <= ranks[by])

/** The roles from the most to the least. */
export const byRank: readonly WorkspaceRole[] = (Object.keys(ranks) as WorkspaceRole[]).toSorted((a, b) => ranks[b] - ranks[a])
