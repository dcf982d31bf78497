import { Type } from 'typebox'
import { httpErrors } from '../../../platform/http/errors.ts'
import { keyset, pageOf, PageQuery } from '../../../platform/http/paging.ts'
import { route } from '../../../platform/http/route.ts'
import { errors as mailErrors } from '../../mail/errors.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import { errors } from '../errors.ts'
import { WorkspaceRole } from '../schema.ts'
import * as answers from './answers.ts'
import * as invitations from './invitations.ts'
import { Invitation, InvitationToken, NewInvitation, OfferedInvitation, PendingInvitation } from './schema.ts'

const Id = Type.String({ format: 'uuid' })
const ofWorkspace = Type.Object({ id: Id })
const ofInvitation = Type.Object({ id: Id, invitation_id: Id })
const ofToken = Type.Object({ token: InvitationToken })
const TokenBody = Type.Object({ token: InvitationToken }, { additionalProperties: false })
const Message = Type.Object({ message: Type.String() }, { title: 'Message' })
const Joined = Type.Object({ workspace_id: Id, role: WorkspaceRole }, { title: 'Joined' })

const perUser = (name: string, quota: number) => [{ name, quota, window_s: 3_600, per: 'user' as const }]
const perAddress = (name: string, quota: number) => [{ name, quota, window_s: 3_600, per: 'address' as const }]

export const inviteMember = route({
  method: 'POST',
  path: '/workspaces/{id}/invitations',
  summary: 'Invite somebody by mail',
  description:
    'The link in the mail works once, for seven days, for an account with that address; who has none makes one. The answer is the same whether the address has an account or not. A workspace sends at most a hundred invitations an hour.',
  allow: 'workspace:manage',
  workspace: 'id',
  params: ofWorkspace,
  body: NewInvitation,
  replies: { 201: Invitation },
  idempotent: 'claimed',
  errors: [
    errors.not_found,
    errors.already_member,
    errors.already_invited,
    errors.role_above_own,
    errors.personal,
    mailErrors.address_invalid,
    planErrors.limit_reached,
    httpErrors.rate_limited,
  ],
  limits: perUser('invitations', 100),
  handler: (ctx, { body }) => invitations.invite(ctx, body),
})

export const listInvitations = route({
  method: 'GET',
  path: '/workspaces/{id}/invitations',
  summary: 'Invitations that nobody has answered',
  description: 'Those that have expired too, for thirty days: send them again, or take them back.',
  allow: 'workspace:manage',
  workspace: 'id',
  params: ofWorkspace,
  query: PageQuery,
  replies: { 200: pageOf(Invitation) },
  errors: [errors.not_found],
  handler: (ctx, { query }) => invitations.list(ctx, query),
})

export const revokeInvitation = route({
  method: 'DELETE',
  path: '/workspaces/{id}/invitations/{invitation_id}',
  summary: 'Take an invitation back',
  allow: 'workspace:manage',
  workspace: 'id',
  params: ofInvitation,
  replies: { 200: Message },
  errors: [errors.not_found, errors.invitation_not_found],
  handler: async (ctx, { params }) => {
    await invitations.revoke(ctx, params.invitation_id)
    return { message: 'The invitation is taken back; its link works no more.' }
  },
})

export const resendInvitation = route({
  method: 'POST',
  path: '/workspaces/{id}/invitations/{invitation_id}/resend',
  summary: 'Send an invitation again',
  description: 'With a new link for another seven days; the old one works no more. You are who invites now.',
  allow: 'workspace:manage',
  workspace: 'id',
  params: ofInvitation,
  replies: { 200: Invitation },
  idempotent: 'claimed',
  errors: [errors.not_found, errors.invitation_not_found, errors.role_above_own, planErrors.limit_reached, httpErrors.rate_limited],
  limits: perUser('invitations-resent', 100),
  handler: (ctx, { params }) => invitations.resend(ctx, params.invitation_id),
})

export const previewInvitation = route({
  method: 'POST',
  path: '/invitations/preview',
  summary: 'What the link of an invitation offers',
  description: 'Uses nothing up. The token comes in the body, so that no log of a proxy on the way keeps one that still works.',
  allow: 'public',
  body: TokenBody,
  body_limit_bytes: 4_096,
  replies: { 200: OfferedInvitation },
  errors: [errors.invitation_not_found],
  limits: perAddress('invitation', 300),
  handler: (ctx, { body }) => answers.preview(ctx, body.token),
})

export const acceptInvitation = route({
  method: 'POST',
  path: '/invitations/{token}/accept',
  summary: 'Join a workspace that you are invited to',
  description:
    'Signed in to the account with the invited address, which counts as confirmed from then on. One that is unknown, used, taken back or expired, or whose sender may not invite any more, gets the same 404.',
  allow: 'account:write',
  params: ofToken,
  replies: { 200: Joined },
  errors: [errors.invitation_not_found, errors.invitation_for_another, errors.already_member, planErrors.limit_reached],
  limits: perAddress('invitation-accept', 300),
  handler: (ctx, { params }) => answers.accept(ctx, { token: params.token }),
})

export const declineInvitation = route({
  method: 'POST',
  path: '/invitations/decline',
  summary: 'Decline an invitation',
  allow: 'public',
  body: TokenBody,
  body_limit_bytes: 4_096,
  replies: { 200: Message },
  errors: [errors.invitation_not_found],
  limits: perAddress('invitation-decline', 300),
  handler: async (ctx, { body }) => {
    await answers.decline(ctx, { token: body.token })
    return { message: 'The invitation is declined.' }
  },
})

const byId = keyset(Type.Tuple([Id]))

export const listPending = route({
  method: 'GET',
  path: '/users/invitations',
  summary: 'The invitations to your address',
  description: 'None while the address is not confirmed. Never more than a hundred.',
  allow: 'account:read',
  query: PageQuery,
  replies: { 200: pageOf(PendingInvitation) },
  handler: async (ctx, { query }) => byId.pageOfAll(await answers.pending(ctx), query, ({ id }) => [id]),
})

export const acceptPending = route({
  method: 'POST',
  path: '/users/invitations/{id}/accept',
  summary: 'Join a workspace of the list',
  description: 'Only with a confirmed address.',
  allow: 'account:write',
  params: ofWorkspace,
  replies: { 200: Joined },
  errors: [errors.invitation_not_found, errors.already_member, planErrors.limit_reached],
  handler: (ctx, { params }) => answers.accept(ctx, { id: params.id }),
})

export const declinePending = route({
  method: 'POST',
  path: '/users/invitations/{id}/decline',
  summary: 'Decline an invitation of the list',
  allow: 'account:write',
  params: ofWorkspace,
  replies: { 200: Message },
  errors: [errors.invitation_not_found],
  handler: async (ctx, { params }) => {
    await answers.decline(ctx, { id: params.id })
    return { message: 'The invitation is declined.' }
  },
})
