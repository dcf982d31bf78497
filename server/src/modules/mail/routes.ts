import { Type } from 'typebox'
import { pageOf, pageQuery } from '../../platform/http/paging.ts'
import { reply, route } from '../../platform/http/route.ts'
import { errors } from './errors.ts'
import * as outbox from './outbox.ts'
import { Mail, MailStatus, MailSummary } from './schema.ts'
import { sendTest } from './test-mail.ts'

const Id = Type.String({ format: 'uuid' })

export const listMails = route({
  method: 'GET',
  path: '/mails',
  summary: 'The mails of the last thirty days',
  description: 'Those of all workspaces, without what stands in them.',
  allow: 'mails:read',
  query: Type.Object({
    ...pageQuery,
    status: Type.Optional(MailStatus),
    kind: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    recipient: Type.Optional(Type.String({ minLength: 1, maxLength: 254, description: 'A part of the address.' })),
  }),
  replies: { 200: pageOf(MailSummary) },
  handler: (ctx, { query }) => outbox.list(ctx, query),
})

export const getMail = route({
  method: 'GET',
  path: '/mails/{id}',
  summary: 'A mail',
  description:
    'With its text as long as it has not been sent: while no SMTP server is configured, this is where mails are read. Reading one is recorded.',
  allow: 'mails:read',
  params: Type.Object({ id: Id }),
  replies: { 200: Mail },
  errors: [errors.not_found],
  handler: (ctx, { params }) => outbox.get(ctx, params.id),
})

export const sendTestMail = route({
  method: 'POST',
  path: '/mails/test',
  summary: 'Send a test mail to yourself',
  description: 'Answers at once; `GET /mails/{id}` says what becomes of it.',
  allow: 'mails:read',
  limits: [{ name: 'mail_test', quota: 5, window_s: 3_600, per: 'user' }],
  replies: { 202: Type.Object({ id: Id }) },
  handler: async (ctx) => {
    const { id } = await sendTest(ctx)
    return reply({ status: 202, body: { id }, headers: { location: `/api/v1/mails/${id}` } })
  },
})
