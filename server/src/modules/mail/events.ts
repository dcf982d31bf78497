import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'

const Mail = Type.Object({ mail_id: Type.String({ format: 'uuid' }), kind: Type.String() })

export const queued = defineEvent({ name: 'mail.queued', doc: 'A mail was put into the post.', data: Mail })
