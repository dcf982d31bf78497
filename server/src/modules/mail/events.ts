import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'

const Mail = Type.Object({ mail_id: Type.String({ format: 'uuid' }), kind: Type.String() })

export const queued = defineEvent({ name: 'mail.queued', doc: 'A mail was put into the post.', data: Mail, audit: false })

export const sent = defineEvent({ name: 'mail.sent', doc: 'The SMTP server has taken a mail.', data: Mail, audit: false })

export const failed = defineEvent({
  name: 'mail.failed',
  doc: 'A mail was given up: the SMTP server refused it, or could not take it for a day.',
  data: Type.Object({
    ...Mail.properties,
    reply: Type.Union([Type.Integer(), Type.Null()], { description: 'The code of the reply that refused it.' }),
  }),
})

export const dropped = defineEvent({
  name: 'mail.dropped',
  doc: 'A mail was not sent, because its recipient had too many of its kind within an hour.',
  data: Mail,
})

export const read = defineEvent({ name: 'mail.read', doc: 'An admin has read what stands in a mail.', data: Mail })

export const tested = defineEvent({ name: 'mail.tested', doc: 'An admin has sent a test mail to themselves.', data: Mail })

export const expired = defineEvent({
  name: 'mail.expired',
  doc: 'Mails older than thirty days were removed.',
  data: Type.Object({ mails: Type.Integer() }),
})
