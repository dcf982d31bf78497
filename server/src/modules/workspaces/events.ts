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
