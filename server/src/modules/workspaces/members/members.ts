import { Type } from 'typebox'
import type { Ctx, TxCtx, WorkspaceRole } from '../../../platform/context.ts'
import { keyset, type Page, type PageQuery } from '../../../platform/http/paging.ts'
import { change, type Ground, requireRoomToOwn } from '../change.ts'
import { errors } from '../errors.ts'
import { sendOwner, sendRemoved } from '../mails.ts'
import { memberRemoved, memberRoleChanged, transferred } from '../events.ts'
import type { Member } from '../schema.ts'
import { mayChange } from './standing.ts'
import * as store from './store.ts'

/** By when they joined. */
const byAge = keyset(Type.Tuple([Type.String({ format: 'date-time' }), Type.String({ format: 'uuid' })]))

/** Who belongs to the current workspace, a page at a time. */
export const list = async (ctx: Ctx, query: PageQuery & store.MemberFilter): Promise<Page<Member>> => {
  const workspace_id = ctx.workspace_id as string
  // Names and addresses belong to accounts, which a request sees none of but its own.
  const { db } = ctx.asSystem('members of a workspace see each other', workspace_id)
  const after = byAge.after(query)
  const [rows, total] = await Promise.all([
    store.members(db, workspace_id, query, { after, limit: query.limit + 1, descending: query.order === 'desc' }),
    query.total === true ? store.countMembers(db, workspace_id, query) : undefined,
  ])
  return byAge.page(rows, query.limit, ({ created_at, user_id }) => [created_at, user_id], total)
}

/**
 * Gives a member of the current workspace another role. Errors: 404 `workspaces.member_not_found`, 403 `workspaces.role_above_own`, 409
 * `workspaces.last_owner`, 409 `workspaces.personal`, 402 `plans.limit_reached` for an owner whose plan gives no more workspaces.
 */
export const setRole = (ctx: Ctx, user_id: string, role: WorkspaceRole): Promise<Member> =>
  change(ctx, { permission: 'workspace:manage', team_only: true, reason: 'give a member another role' }, async (tx, ground) => {
    const member = await memberOf(tx, ground.workspace.id, user_id)
    if (!mayChange(ground.role, member.role, role)) throw errors.role_above_own()
    await give(tx, ground, member, role)
    return { ...member, role }
  })

/**
 * Removes a member from the current workspace; who removes themselves leaves. Errors: 404 `workspaces.member_not_found`, 403
 * `workspaces.role_above_own`, 409 `workspaces.last_owner`, 409 `workspaces.personal`.
 */
export const remove = (ctx: Ctx, user_id: string): Promise<void> =>
  change(ctx, { permission: 'workspace:manage', team_only: true, reason: 'remove a member' }, async (tx, ground) => {
    const member = await memberOf(tx, ground.workspace.id, user_id)
    if (!mayChange(ground.role, member.role, null)) throw errors.role_above_own()
    await takeOut(tx, ground, member)
  })

/**
 * The caller is a member of the current workspace no more. Errors: 409 `workspaces.last_owner`, 409 `workspaces.personal`, 403
 * `workspaces.role_above_own` for an owner who shows no session of their own.
 */
export const leave = (ctx: Ctx): Promise<void> =>
  change(ctx, { team_only: true, reason: 'a member leaves' }, async (tx, ground) => {
    const member = await memberOf(tx, ground.workspace.id, ground.user_id)
    if (!mayChange(ground.role, member.role, null)) throw errors.role_above_own()
    await takeOut(tx, ground, member)
  })

/**
 * Hands the current workspace over: the member becomes an owner, the caller, who is one, an admin. Errors: 404 `workspaces.member_not_found`, 409
 * `workspaces.personal`, 409 `workspaces.last_owner` when the account of the member is switched off.
 */
export const transfer = (ctx: Ctx, user_id: string): Promise<Member> =>
  change(ctx, { permission: 'workspace:own', team_only: true, reason: 'hand a workspace over' }, async (tx, ground) => {
    const { id } = ground.workspace
    const member = await memberOf(tx, id, user_id)
    if (user_id === ground.user_id) return member
    const caller = await memberOf(tx, id, ground.user_id)
    await give(tx, ground, member, 'owner')
    await give(tx, ground, caller, 'admin')
    tx.emit(transferred, { workspace_id: id, from_user_id: ground.user_id, to_user_id: user_id })
    return { ...member, role: 'owner' }
  })

const memberOf = async (tx: TxCtx, workspace_id: string, user_id: string): Promise<Member> => {
  const member = await store.memberById(tx.db, workspace_id, user_id)
  if (member === undefined) throw errors.member_not_found()
  return member
}

const give = async (tx: TxCtx, { workspace, user_id: by }: Ground, member: Member, role: WorkspaceRole): Promise<void> => {
  const { user_id, role: before } = member
  if (role === before) return
  if (role === 'owner') await requireRoomToOwn(tx, user_id)
  await keepAnOwner(tx, workspace.id, member)
  await store.updateRole(tx.db, workspace.id, user_id, role)
  tx.emit(memberRoleChanged, { workspace_id: workspace.id, user_id, role }, { before: { role: before }, after: { role } })
  if (role === 'owner' && user_id !== by) await sendOwner(tx, member, workspace.name)
}

const takeOut = async (tx: TxCtx, { workspace, user_id: by }: Ground, member: Member): Promise<void> => {
  const { user_id, role } = member
  const reason = user_id === by ? 'left' : 'removed'
  await keepAnOwner(tx, workspace.id, member)
  await store.deleteMember(tx.db, workspace.id, user_id)
  tx.emit(memberRemoved, { workspace_id: workspace.id, user_id, reason }, { before: { role } })
  if (reason === 'removed') await sendRemoved(tx, member, workspace.name)
}

/** Before an owner stops being one. The workspace is locked, so nobody else does at the same time. */
const keepAnOwner = async (tx: TxCtx, workspace_id: string, { role, user_id }: Member): Promise<void> => {
  if (role === 'owner' && !(await store.hasOtherOwner(tx.db, workspace_id, user_id))) throw errors.last_owner()
}
