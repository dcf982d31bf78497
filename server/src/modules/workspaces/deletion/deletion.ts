import { iso } from '../../../lib/iso.ts'
import { callerId } from '../../../platform/caller.ts'
import type { Ctx } from '../../../platform/context.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { change, requireRoomToOwn } from '../change.ts'
import { errors } from '../errors.ts'
import { deleted, restored } from '../events.ts'
import { sendDeleted } from '../mails.ts'
import { owners, roleOf } from '../members/store.ts'
import { settings } from '../settings.ts'
import * as store from '../store.ts'
import type { WorkspaceRow } from '../store.ts'

/**
 * Deletes the current workspace: from now on nobody reaches it, its webhooks answer 404, and until `purge_at` each owner can restore it. What
 * was being executed goes on to its end. Errors: 409 `workspaces.personal`, 412 `http.precondition_failed`.
 */
export const remove = (ctx: Ctx, if_match: number | null): Promise<WorkspaceRow> =>
  change(ctx, { permission: 'workspace:own', team_only: true, reason: 'delete a workspace' }, async (tx, { workspace, user_id }) => {
    requireRevision(workspace, if_match)
    const { id, name } = workspace
    const now = tx.now()
    const purge_at = iso(now + tx.settings(settings).grace_days * 86_400_000)
    await store.updateWorkspace(tx.db, id, { deleted_at: iso(now), purge_at }, iso(now))
    tx.emit(deleted, { workspace_id: id, purge_at }, { before: { deleted_at: null }, after: { deleted_at: iso(now), purge_at } })
    const all = await owners(tx.db, id)
    const by = all.find((owner) => owner.user_id === user_id)
    for (const owner of all) {
      if (owner.is_active) await sendDeleted(tx, owner, { workspace: name, by: by?.name ?? by?.username ?? '', purge_at })
    }
    return one(await store.workspaceOfMember(tx.db, user_id, id))
  })

/**
 * Takes back that a workspace of the caller's was deleted. Who does not own it learns nothing of it. Errors: 404 `workspaces.not_found`, 409
 * `workspaces.not_deleted`, 402 `plans.limit_reached`.
 */
export const restore = (ctx: Ctx, id: string): Promise<WorkspaceRow> => {
  const user_id = callerId(ctx)
  return ctx.asSystem('nobody is a member of a deleted workspace but those who may restore it', id).tx(async (tx) => {
    const [workspace, role] = await Promise.all([store.lockWorkspace(tx.db, id), roleOf(tx.db, id, user_id)])
    if (workspace === undefined || role === null) throw errors.not_found()
    if (workspace.deleted_at === null) throw errors.not_deleted()
    if (role !== 'owner') throw errors.not_found()
    await requireRoomToOwn(tx, user_id)
    await store.updateWorkspace(tx.db, id, { deleted_at: null, purge_at: null }, iso(tx.now()))
    const { deleted_at, purge_at } = workspace
    tx.emit(restored, { workspace_id: id }, { before: { deleted_at, purge_at }, after: { deleted_at: null } })
    return one(await store.workspaceOfMember(tx.db, user_id, id))
  })
}

const one = (workspace: WorkspaceRow | undefined): WorkspaceRow => {
  if (workspace === undefined) throw errors.not_found()
  return workspace
}
