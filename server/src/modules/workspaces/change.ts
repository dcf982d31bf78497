import { callerId } from '../../platform/caller.ts'
import type { Ctx, TxCtx, WorkspaceRole } from '../../platform/context.ts'
import { httpErrors } from '../../platform/http/errors.ts'
import * as plans from '../plans/plans.ts'
import { errors } from './errors.ts'
import { roleOf } from './members/store.ts'
import { countOwned, type LockedRow, lockWorkspace } from './store.ts'

/** What a change stands on: held as it is until the transaction ends. */
export interface Ground {
  readonly workspace: LockedRow
  /**
   * Who asks, and their role now: they may have lost the one that the request came in with. An owner who shows no session of their own has the
   * standing of an admin, so that a key, or whoever acts as them, gives nobody what takes a session.
   */
  readonly user_id: string
  readonly role: WorkspaceRole
}

export interface ChangeOptions {
  /** What the caller's role must give; being a member is enough when not given. */
  readonly permission?: string
  readonly reason: string
  /** For what a personal workspace cannot have done to it: 409 `workspaces.personal`. */
  readonly team_only?: true
}

/**
 * Runs one change of the current workspace or its members in a transaction of its own, in the system's scope, because a request may write none of
 * these tables. The workspace is locked first, so what is decided on is what is there. Errors: 404 `workspaces.not_found` when it was deleted or
 * the caller removed meanwhile, 403 `http.forbidden` when they lost the permission.
 */
export const change = async <T>(ctx: Ctx, options: ChangeOptions, work: (tx: TxCtx, ground: Ground) => Promise<T>): Promise<T> => {
  const user_id = callerId(ctx)
  const id = ctx.workspace_id
  if (id === null) throw errors.not_found()
  return ctx.asSystem(options.reason, id).tx(async (tx) => {
    // Sent together, and answered in this order: the role is read once the lock is held.
    const [workspace, role] = await Promise.all([lockWorkspace(tx.db, id), roleOf(tx.db, id, user_id)])
    if (workspace === undefined || workspace.deleted_at !== null || role === null) throw errors.not_found()
    if (options.permission !== undefined && !gives(ctx, role, options.permission)) throw httpErrors.forbidden()
    if (options.team_only === true && workspace.is_personal) throw errors.personal()
    return work(tx, { workspace, user_id, role: role === 'owner' && !ctx.may('workspace:own') ? 'admin' : role })
  })
}

/** Whether a role in a workspace gives a permission. */
export const gives = (ctx: Ctx, role: WorkspaceRole, permission: string): boolean =>
  ctx.permissions.get(permission)?.workspace_roles.has(role) === true

/** Before somebody comes to own one more workspace: 402 `plans.limit_reached` when their plan gives no more. */
export const requireRoomToOwn = async (tx: TxCtx, user_id: string): Promise<void> => {
  await plans.check(tx, { feature: 'workspaces', amount: 1, user_id, used: () => countOwned(tx.db, user_id) })
}
