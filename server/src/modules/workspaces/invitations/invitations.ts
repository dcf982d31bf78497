import { Type } from 'typebox'
import { iso } from '../../../lib/iso.ts'
import type { Ctx, TxCtx, WorkspaceRole } from '../../../platform/context.ts'
import { keyset, type Page, type PageQuery } from '../../../platform/http/paging.ts'
import * as plans from '../../plans/plans.ts'
import * as users from '../../users/users.ts'
import { change, type Ground } from '../change.ts'
import { errors } from '../errors.ts'
import { invitationCreated, invitationResent, invitationRevoked } from '../events.ts'
import { installationOf, sendInvitation } from '../mails.ts'
import { mayChange } from '../members/standing.ts'
import { isMember } from '../members/store.ts'
import { countMail, life_days } from './limits.ts'
import type { Invitation, NewInvitation } from './schema.ts'
import * as store from './store.ts'
import { hashOf, newToken } from './token.ts'

const day_ms = 86_400_000
/** One that has expired stays in the list for so long, for somebody to send it again. */
const kept_ms = 30 * day_ms

const rules = { permission: 'workspace:manage', team_only: true } as const

/**
 * Invites an address into the current workspace: a mail with a link goes out, whether it has an account or not. Errors: 409
 * `workspaces.already_member`, 409 `workspaces.already_invited`, 409 `workspaces.personal`, 403 `workspaces.role_above_own`, 402
 * `plans.limit_reached`, 429 `http.rate_limited`.
 */
export const invite = (ctx: Ctx, input: NewInvitation): Promise<Invitation> =>
  change(ctx, { ...rules, reason: 'invite somebody' }, async (tx, ground) => {
    const { workspace, user_id } = ground
    requireStanding(ground, input.role)
    const email = users.normaliseEmail(input.email)
    const now = tx.now()
    if (await isMember(tx.db, workspace.id, email)) throw errors.already_member()
    await store.deleteExpired(tx.db, workspace.id, { before: iso(now), email })
    await store.deleteExpired(tx.db, workspace.id, { before: iso(now - kept_ms) })
    await plans.check(tx, { feature: 'seats', amount: 1, used: () => store.seats(tx.db, workspace.id, iso(now)) })
    const token = newToken()
    const made = await store.insertInvitation(tx.db, {
      id: tx.newId(),
      workspace_id: workspace.id,
      email,
      role: input.role,
      token_hash: hashOf(token),
      invited_by: user_id,
      created_at: iso(now),
      sent_at: iso(now),
      expires_at: iso(now + life_days * day_ms),
    })
    if (made === undefined) throw errors.already_invited()
    await send(tx, ground, made, token)
    tx.emit(invitationCreated, told(made), { after: { email, role: made.role, expires_at: made.expires_at } })
    return made
  })

/**
 * Sends an invitation again: with a new link for another seven days, the old one is nothing any more. Who sends it is who invites now. Errors: 404
 * `workspaces.invitation_not_found`, 403 `workspaces.role_above_own`, 402 `plans.limit_reached`, 429 `http.rate_limited`.
 */
export const resend = (ctx: Ctx, id: string): Promise<Invitation> =>
  change(ctx, { ...rules, reason: 'send an invitation again' }, async (tx, ground) => {
    const { workspace, user_id } = ground
    const before = await store.invitationById(tx.db, workspace.id, id)
    if (before === undefined) throw errors.invitation_not_found()
    requireStanding(ground, before.role)
    const now = tx.now()
    // One that has expired takes up a seat again.
    const amount = Date.parse(before.expires_at) > now ? 0 : 1
    await plans.check(tx, { feature: 'seats', amount, used: () => store.seats(tx.db, workspace.id, iso(now)) })
    const token = newToken()
    const renewed = await store.renewInvitation(tx.db, workspace.id, id, {
      token_hash: hashOf(token),
      invited_by: user_id,
      sent_at: iso(now),
      expires_at: iso(now + life_days * day_ms),
    })
    await send(tx, ground, renewed, token)
    tx.emit(invitationResent, told(renewed), { before: { expires_at: before.expires_at }, after: { expires_at: renewed.expires_at } })
    return renewed
  })

/** Takes an invitation back. 404 `workspaces.invitation_not_found` also when it was answered meanwhile. */
export const revoke = (ctx: Ctx, id: string): Promise<void> =>
  change(ctx, { ...rules, reason: 'take an invitation back' }, async (tx, { workspace }) => {
    const gone = await store.deleteInvitation(tx.db, workspace.id, id)
    if (gone === undefined) throw errors.invitation_not_found()
    tx.emit(invitationRevoked, told(gone), { before: { email: gone.email, role: gone.role } })
  })

/** By id, which is by when they were made. */
const byAge = keyset(Type.Tuple([Type.String({ format: 'uuid' })]))

/** The invitations of the current workspace that nobody has answered, a page at a time. */
export const list = async (ctx: Ctx, query: PageQuery): Promise<Page<Invitation>> => {
  const workspace_id = ctx.workspace_id as string
  const after = byAge.after(query)?.[0] ?? null
  const [rows, total] = await Promise.all([
    store.invitations(ctx.db, workspace_id, { after, limit: query.limit + 1, descending: query.order === 'desc' }),
    query.total === true ? store.countInvitations(ctx.db, workspace_id) : undefined,
  ])
  return byAge.page(rows, query.limit, ({ id }) => [id], total)
}

/** What of the plan's seats the current workspace takes up: its members, and whom it has invited. */
export const seatsOf = (ctx: Ctx): Promise<number> => store.seats(ctx.db, ctx.workspace_id as string, iso(ctx.now()))

const requireStanding = ({ role }: Ground, invited: WorkspaceRole): void => {
  if (!mayChange(role, null, invited)) throw errors.role_above_own()
}

/** What everybody in the workspace may know of an invitation. */
export const told = ({ id, workspace_id, email, role }: Invitation) => ({ invitation_id: id, workspace_id, email, role })

const send = async (tx: TxCtx, { workspace, user_id }: Ground, { email, role }: Invitation, token: string): Promise<void> => {
  await countMail(tx, workspace.id)
  const inviter = await users.byId(tx, user_id)
  await sendInvitation(
    tx,
    { email },
    {
      workspace: workspace.name,
      inviter: inviter?.name ?? inviter?.username ?? '',
      role,
      days: life_days,
      url: `${installationOf(tx)}/invitation#token=${token}`,
    },
  )
}
