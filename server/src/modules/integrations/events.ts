import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'

const about = { integration_id: Type.String({ format: 'uuid' }), type: Type.String(), name: Type.String() }
const About = Type.Object(about)

export const created = defineEvent({ name: 'integrations.created', doc: 'An integration was made.', data: About })
export const updated = defineEvent({
  name: 'integrations.updated',
  doc: 'The name, the configuration or the credentials of an integration changed. Says which, not to what.',
  data: Type.Object({ ...about, fields: Type.Array(Type.String()) }),
})
export const deleted = defineEvent({
  name: 'integrations.deleted',
  doc: 'An integration was removed with its credentials; steps that name it fail from now on.',
  data: About,
})
export const connected = defineEvent({
  name: 'integrations.connected',
  doc: 'Somebody gave their consent at a service; its tokens are there.',
  data: About,
})
export const failed = defineEvent({
  name: 'integrations.failed',
  doc: 'A service does not take the credentials of an integration any more, or cannot be reached. Said once, until it works again.',
  data: Type.Object({ ...about, error: Type.String() }),
})
export const recovered = defineEvent({
  name: 'integrations.recovered',
  doc: 'An integration that had failed works again.',
  data: About,
})
export const userRegistered = defineEvent({
  name: 'integrations.user_registered',
  doc: 'Another system says that somebody registered there.',
  data: Type.Object({
    delivery_id: Type.String(),
    email: Type.String(),
    external_id: Type.Union([Type.String(), Type.Null()]),
    name: Type.Union([Type.String(), Type.Null()]),
  }),
})
