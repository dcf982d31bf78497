import type { Ctx, TxCtx } from '../../../platform/context.ts'
import { deleted, memberRemoved, memberRoleChanged } from '../events.ts'
import { sendOwner } from '../mails.ts'
import { byRank } from '../members/standing.ts'
import { deleteMember, heirs, memberById, updateRole } from '../members/store.ts'
import { type LockedRow, lockWorkspace, updateWorkspace } from '../store.ts'
import * as store from './store.ts'

const most_at_once = 500

/**
 * Takes somebody out of every workspace, before their account is erased: one that has no other owner goes to whoever is there longest of those
 * with the highest role, and one that nobody else belongs to, as the personal one, is deleted and has no grace. May be called again.
 */
export const withdraw = async (ctx: Ctx, user_id: string): Promise<void> => {
  const system = ctx.asSystem('somebody whose account is erased leaves their workspaces')
  for (const workspace_id of await store.workspacesOf(system.db, user_id)) {
    await ctx.asSystem('somebody whose account is erased leaves a workspace', workspace_id).tx(async (tx) => {
      const workspace = await lockWorkspace(tx.db, workspace_id)
      const member = await memberById(tx.db, workspace_id, user_id)
      if (workspace === undefined || member === undefined) return
      await deleteMember(tx.db, workspace_id, user_id)
      tx.emit(memberRemoved, { workspace_id, user_id, reason: 'left' }, { before: { role: member.role } })
      await settle(tx, workspace)
    })
  }
}

/** The same for workspaces whose owners are gone already, however that came about. Answers how many there were. */
export const settleOwnerless = async (ctx: Ctx): Promise<number> => {
  const ids = await store.ownerless(ctx.db, most_at_once)
  for (const id of ids) {
    await ctx.asSystem('a workspace has lost its owners', id).tx(async (tx) => {
      const workspace = await lockWorkspace(tx.db, id)
      if (workspace !== undefined) await settle(tx, workspace)
    })
  }
  return ids.length
}

/** Gives a workspace an owner if it has none, or deletes it if nobody is there. The row is locked. */
const settle = async (tx: TxCtx, { id: workspace_id, name, deleted_at }: LockedRow): Promise<void> => {
  if (deleted_at !== null) return
  const all = await heirs(tx.db, workspace_id)
  if (all.some(({ role }) => role === 'owner')) return
  const heir = byRank.flatMap((rank) => all.filter(({ role, is_active }) => role === rank && is_active)).at(0) ?? all.at(0)
  if (heir === undefined) return close(tx, workspace_id)
  const { user_id, role } = heir
  await updateRole(tx.db, workspace_id, user_id, 'owner')
  tx.emit(memberRoleChanged, { workspace_id, user_id, role: 'owner' }, { before: { role }, after: { role: 'owner' } })
  await sendOwner(tx, heir, name)
}

const close = async (tx: TxCtx, workspace_id: string): Promise<void> => {
  const now = new Date(tx.now()).toISOString()
  await updateWorkspace(tx.db, workspace_id, { deleted_at: now, purge_at: now }, now)
  tx.emit(deleted, { workspace_id, purge_at: now }, { before: { deleted_at: null }, after: { deleted_at: now, purge_at: now } })
}
