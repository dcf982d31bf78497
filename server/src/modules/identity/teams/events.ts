import { Type } from 'typebox'
import { defineEvent } from '../../../platform/events/event.ts'

const Id = Type.String({ format: 'uuid' })

export const sessionSwitched = defineEvent({
  name: 'identity.session.switched',
  doc: 'A session works in another workspace from now on.',
  data: Type.Object({ session_id: Id, user_id: Id, workspace_id: Id }),
})
