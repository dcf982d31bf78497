import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'
import { WorkspaceRole } from './schema.ts'

const Id = Type.String({ format: 'uuid' })
const Time = Type.String({ format: 'date-time' })

export const created = defineEvent({
  name: 'workspaces.created',
  doc: 'A workspace was made.',
  data: Type.Object({ workspace_id: Id, slug: Type.String(), is_personal: Type.Boolean() }),
})

export const updated = defineEvent({
  name: 'workspaces.updated',
  doc: 'The name or the slug of a workspace was changed. Says which fields.',
  data: Type.Object({ workspace_id: Id, slug: Type.String(), fields: Type.Array(Type.String()) }),
})

export const deleted = defineEvent({
  name: 'workspaces.deleted',
  doc: 'A workspace was deleted: nobody reaches it any more, and it can be restored until `purge_at`.',
  data: Type.Object({ workspace_id: Id, purge_at: Time }),
})

export const restored = defineEvent({
  name: 'workspaces.restored',
  doc: 'A deleted workspace is there again, with all that was in it.',
  data: Type.Object({ workspace_id: Id }),
})

export const purged = defineEvent({
  name: 'workspaces.purged',
  doc: 'A deleted workspace was removed for good, with all that was in it.',
  data: Type.Object({ workspace_id: Id }),
})

export const transferred = defineEvent({
  name: 'workspaces.transferred',
  doc: 'An owner has handed a workspace over to another member, and is an admin of it now.',
  data: Type.Object({ workspace_id: Id, from_user_id: Id, to_user_id: Id }),
  target: 'to_user_id',
})

export const memberAdded = defineEvent({
  name: 'workspaces.member.added',
  doc: 'Somebody became a member of a workspace.',
  data: Type.Object({ workspace_id: Id, user_id: Id, role: WorkspaceRole }),
})

export const memberRoleChanged = defineEvent({
  name: 'workspaces.member.role_changed',
  doc: 'A member of a workspace has another role.',
  data: Type.Object({ workspace_id: Id, user_id: Id, role: WorkspaceRole }),
})

export const memberRemoved = defineEvent({
  name: 'workspaces.member.removed',
  doc: 'Somebody is no member of a workspace any more: they left, or were removed.',
  data: Type.Object({ workspace_id: Id, user_id: Id, reason: Type.Union([Type.Literal('left'), Type.Literal('removed')]) }),
})

const Invitation = { invitation_id: Id, workspace_id: Id, email: Type.String(), role: WorkspaceRole }

export const invitationCreated = defineEvent({
  name: 'workspaces.invitation.created',
  doc: 'Somebody was invited to a workspace, by mail.',
  data: Type.Object(Invitation),
})

export const invitationResent = defineEvent({
  name: 'workspaces.invitation.resent',
  doc: 'An invitation was sent again, with a new link; the old one works no more.',
  data: Type.Object(Invitation),
})

export const invitationRevoked = defineEvent({
  name: 'workspaces.invitation.revoked',
  doc: 'An invitation was taken back.',
  data: Type.Object(Invitation),
})

export const invitationAccepted = defineEvent({
  name: 'workspaces.invitation.accepted',
  doc: 'Somebody has accepted an invitation. An address that was not confirmed before is now, because the link was sent to it.',
  data: Type.Object({ ...Invitation, user_id: Id }),
})

export const invitationDeclined = defineEvent({
  name: 'workspaces.invitation.declined',
  doc: 'Whoever holds the link has declined an invitation.',
  data: Type.Object(Invitation),
})
