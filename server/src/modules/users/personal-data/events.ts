import { Type } from 'typebox'
import { defineEvent } from '../../../platform/events/event.ts'

const Id = Type.String({ format: 'uuid' })

export const exportRequested = defineEvent({
  name: 'users.export.requested',
  doc: 'Somebody asked for all that is known about them.',
  data: Type.Object({ user_id: Id, export_id: Id }),
})

export const exportReady = defineEvent({
  name: 'users.export.ready',
  doc: 'It can be downloaded for a week.',
  data: Type.Object({ user_id: Id, export_id: Id }),
})

export const exportDownloaded = defineEvent({
  name: 'users.export.downloaded',
  doc: 'It was downloaded.',
  data: Type.Object({ user_id: Id, export_id: Id }),
})

export const erasureRequested = defineEvent({
  name: 'users.erasure.requested',
  doc: 'An account is to be erased. It is switched off and its sessions have ended; the rest is done in the background.',
  data: Type.Object({ user_id: Id }),
})

export const erased = defineEvent({
  name: 'users.erased',
  doc: 'An account and what belonged to it alone is gone.',
  data: Type.Object({ user_id: Id }),
})
