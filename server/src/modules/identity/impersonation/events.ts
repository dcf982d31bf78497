import { Type } from 'typebox'
import { defineEvent } from '../../../platform/events/event.ts'

const Id = Type.String({ format: 'uuid' })
const Acting = { session_id: Id, user_id: Id, impersonator_id: Id }

export const impersonationStarted = defineEvent({
  name: 'identity.impersonation.started',
  doc: 'An admin began to act as a user, for the reason given. What they do in that session names both.',
  data: Type.Object({ ...Acting, reason: Type.String(), expires_at: Type.String({ format: 'date-time' }) }),
})

export const impersonationEnded = defineEvent({
  name: 'identity.impersonation.ended',
  doc: 'An admin stopped acting as a user before the time was over: by themselves, because their own session ended, or because the user ended it. When its time is over a session ends without an event.',
  data: Type.Object(Acting),
})
