import { Type, type Static } from 'typebox'
import { defineEvent } from '../../../platform/events/event.ts'

const Id = Type.String({ format: 'uuid' })
const Key = { key_id: Id, user_id: Id, name: Type.String() }

export const apiKeyCreated = defineEvent({
  name: 'identity.api_key.created',
  doc: 'A user made an API key.',
  data: Type.Object({ ...Key, permissions: Type.Array(Type.String()) }),
})

export const apiKeyChanged = defineEvent({
  name: 'identity.api_key.changed',
  doc: 'An API key was renamed, or given other permissions, another quota or another expiry; it counts from this event on.',
  data: Type.Object({ ...Key, fields: Type.Array(Type.String()) }),
})

const RemovedReason = Type.Enum(['owner', 'admin', 'claimed', 'disowned', 'left_workspace'])
export type RemovedReason = Static<typeof RemovedReason>

export const apiKeyRemoved = defineEvent({
  name: 'identity.api_key.removed',
  doc: 'An API key was removed and stops working with this event: by its owner, by an admin, or with what it belonged to.',
  data: Type.Object({
    ...Key,
    reason: RemovedReason,
  }),
})
