import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'
import { WorkspaceRole } from './schema.ts'

const Id = Type.String({ format: 'uuid' })

export const created = defineEvent({
  name: 'workspaces.created',
  doc: 'A workspace was made.',
  data: Type.Object({ workspace_id: Id, slug: Type.String(), is_personal: Type.Boolean() }),
})

export const memberAdded = defineEvent({
  name: 'workspaces.member.added',
  doc: 'Somebody became a member of a workspace.',
  data: Type.Object({ workspace_id: Id, user_id: Id, role: WorkspaceRole }),
})
