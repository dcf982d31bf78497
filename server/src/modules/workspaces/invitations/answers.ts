import { callerId } from '../../../platform/caller.ts'
import type { Ctx, TxCtx, WorkspaceRole } from '../../../platform/context.ts'
import * as plans from '../../plans/plans.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import { gives, requireRoomToOwn } from '../change.ts'
import { errors } from '../errors.ts'
import { invitationAccepted, invitationDeclined, memberAdded } from '../events.ts'
import { mayChange } from '../members/standing.ts'
import { insertMember, memberIds } from '../members/store.ts'
import { lockWorkspace } from '../store.ts'
import { told } from './invitations.ts'
import type { Invitation, PendingInvitation } from './schema.ts'
import * as store from './store.ts'
import type { FoundInvitation, Key } from './store.ts'
import { hashOf, isToken } from './token.ts'

const nowOf = (ctx: Ctx): string => new Date(ctx.now()).toISOString()

const reason = 'an invitation is answered by who is no member yet'

/** How an invitation is named by who answers it: by the token of its link, or by its id where the account's address is confirmed. */
export type Naming = { readonly token: string } | { readonly id: string }

/** What the link offers. 404 `workspaces.invitation_not_found` for one that is unknown, used, revoked or expired, or whose sender may not invite any more. */
export const preview = (ctx: Ctx, token: string): Promise<FoundInvitation> => find(ctx.asSystem(reason), keyOfToken(token))

/**
 * The caller joins the workspace that they are invited to. Errors: 404 `workspaces.invitation_not_found`, 403 `workspaces.invitation_for_another`, 409
 * `workspaces.already_member`, 402 `plans.limit_reached`.
 */
export const accept = async (ctx: Ctx, naming: Naming): Promise<Joined> =>
  joinBy(ctx, await keyOf(ctx, naming), callerId(ctx), (_tx, joined) => Promise.resolve(joined))

/**
 * The same for a user who has just shown who they are and is not the caller yet. `more` goes along in the transaction, which is the workspace's
 * and in the system's scope.
 */
export const joinByToken = <T>(ctx: Ctx, token: string, user_id: string, more: (tx: TxCtx, joined: Joined) => Promise<T>): Promise<T> =>
  joinBy(ctx, keyOfToken(token), user_id, more)

const joinBy = async <T>(ctx: Ctx, key: Key, user_id: string, more: (tx: TxCtx, joined: Joined) => Promise<T>): Promise<T> => {
  const { workspace_id } = await find(ctx.asSystem(reason), key)
  const outcome = await ctx.asSystem(reason, workspace_id).tx(async (tx) => {
    tx.onBehalfOf(user_id)
    const joined = await join(tx, key, user_id)
    // A refusal must not undo that the invitation was used up, so it is thrown outside.
    return joined instanceof Error ? { refused: joined } : { done: await more(tx, joined) }
  })
  if ('refused' in outcome) throw outcome.refused
  return outcome.done
}

/** The invitation is gone. 404 `workspaces.invitation_not_found`. */
export const decline = async (ctx: Ctx, naming: Naming): Promise<void> => {
  const key = await keyOf(ctx, naming)
  const { workspace_id } = await find(ctx.asSystem(reason), key)
  await ctx.asSystem(reason, workspace_id).tx(async (tx) => {
    const gone = await store.takeInvitation(tx.db, key, nowOf(tx))
    if (gone === undefined) throw errors.invitation_not_found()
    tx.emit(invitationDeclined, told(gone), { before: { email: gone.email, role: gone.role } })
  })
}

const most_pending = 100

/** The invitations to the caller's address, the newest first; none while it is not confirmed, because it may be somebody else's. */
export const pending = async (ctx: Ctx): Promise<readonly PendingInvitation[]> => {
  const user = await users.profile(ctx)
  if (!user.email_verified) return []
  const found = await store.invitationsTo(ctx.asSystem(reason).db, user.email, nowOf(ctx), most_pending)
  return found.filter((invitation) => isGood(ctx, invitation))
}

export interface Joined {
  readonly workspace_id: string
  readonly role: WorkspaceRole
}

/** Answers what is to be thrown after the commit, or throws what leaves the invitation as it is. */
const join = async (tx: TxCtx, key: Key, user_id: string): Promise<Error | Joined> => {
  const workspace_id = tx.workspace_id as string
  const [workspace, found] = await Promise.all([lockWorkspace(tx.db, workspace_id), store.findInvitation(tx.db, key, nowOf(tx))])
  const invitation = await store.takeInvitation(tx.db, key, nowOf(tx))
  if (workspace === undefined || invitation === undefined || found === undefined || !isGood(tx, found)) throw errors.invitation_not_found()
  const user = await users.byId(tx, user_id)
  if (user === null || user.email !== invitation.email) throw errors.invitation_for_another()
  const { role } = invitation
  const members = await memberIds(tx.db, workspace_id)
  if (members.includes(user_id)) return errors.already_member()
  // Invited when there was room; the plan may be a smaller one by now.
  await plans.check(tx, { feature: 'seats', amount: 1, used: async () => members.length })
  if (role === 'owner') await requireRoomToOwn(tx, user_id)
  await insertMember(tx.db, { workspace_id, user_id, role, created_at: nowOf(tx) })
  await confirmAddress(tx, user, key, invitation)
  tx.emit(memberAdded, { workspace_id, user_id, role }, { after: { role } })
  return { workspace_id, role }
}

/** Whoever has the link has read the mail to the address. */
const confirmAddress = async (tx: TxCtx, user: UserRow, key: Key, invitation: Invitation): Promise<void> => {
  const confirms = !user.email_verified && 'token_hash' in key
  if (confirms) await users.setAddress(tx, user.id, { email: user.email, email_verified: true })
  const { email_verified } = user
  tx.emit(
    invitationAccepted,
    { ...told(invitation), user_id: user.id },
    { before: { email_verified }, after: { email_verified: email_verified || confirms } },
  )
}

/** The key of an invitation that a link names. 404 for what is no token. */
const keyOfToken = (token: string): Key => {
  if (!isToken(token)) throw errors.invitation_not_found()
  return { token_hash: hashOf(token) }
}

const keyOf = async (ctx: Ctx, naming: Naming): Promise<Key> => {
  if ('token' in naming) return keyOfToken(naming.token)
  const user = await users.profile(ctx)
  if (!user.email_verified) throw errors.invitation_not_found()
  return { id: naming.id, email: user.email }
}

const find = async (ctx: Ctx, key: Key): Promise<FoundInvitation> => {
  const found = await store.findInvitation(ctx.db, key, nowOf(ctx))
  if (found === undefined || !isGood(ctx, found)) throw errors.invitation_not_found()
  return found
}

/** Whether who invited could still do so. */
const isGood = (ctx: Ctx, { inviter_role, role }: FoundInvitation): boolean =>
  inviter_role !== null && gives(ctx, inviter_role, 'workspace:manage') && mayChange(inviter_role, null, role)
