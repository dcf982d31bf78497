import { Type } from 'typebox'
import { defineEvent } from '../../../platform/events/event.ts'

const Id = Type.String({ format: 'uuid' })
const data = Type.Object({ user_id: Id, passkey_id: Id })

export const passkeyAdded = defineEvent({ name: 'identity.passkey.added', doc: 'Somebody added a passkey.', data })

export const passkeyRenamed = defineEvent({ name: 'identity.passkey.renamed', doc: 'Somebody named a passkey anew.', data })

export const passkeyRemoved = defineEvent({
  name: 'identity.passkey.removed',
  doc: 'A passkey was removed, by its owner or by an admin; nobody signs in with it any more.',
  data,
})

export const passkeyRefused = defineEvent({
  name: 'identity.passkey.refused',
  doc: 'A passkey was shown and not accepted: its signature, its challenge or its place was wrong.',
  data,
})

export const passkeyCloned = defineEvent({
  name: 'identity.passkey.clone_suspected',
  doc: 'A passkey counted backwards: somebody may have a copy of it. It was not accepted, and its owner was told.',
  data: Type.Object({ user_id: Id, passkey_id: Id, counter: Type.Integer(), expected_above: Type.Integer() }),
})
