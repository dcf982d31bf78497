import { type Static, Type } from 'typebox'

const Id = Type.String({ format: 'uuid' })
const Time = Type.String({ format: 'date-time' })
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

export const MailStatus = Type.Union(
  [Type.Literal('queued'), Type.Literal('sent'), Type.Literal('failed'), Type.Literal('kept'), Type.Literal('dropped')],
  {
    description:
      '`queued`: on its way, or to be tried again. `kept`: no SMTP server is configured. `dropped`: too many of this kind to this address within an hour.',
  },
)
export type MailStatus = Static<typeof MailStatus>

/** A line of the list. */
export const MailSummary = Type.Object({
  id: Id,
  kind: Type.String({ description: 'What it is about: `identity.password_changed`.' }),
  recipient: Type.String(),
  subject: Type.String(),
  status: MailStatus,
  error: Nullable(Type.String({ description: 'What the SMTP server said last, or why the mail did not reach one.' })),
  attempts: Type.Integer(),
  user_id: Nullable(Id),
  workspace_id: Nullable(Id),
  created_at: Time,
  ended_at: Nullable(Type.String({ format: 'date-time', description: 'When it was sent, kept, dropped or given up.' })),
})
export type MailSummary = Static<typeof MailSummary>

export const Mail = Type.Object({
  ...MailSummary.properties,
  text: Nullable(Type.String({ description: 'Null once the mail was sent or dropped.' })),
  html: Nullable(Type.String()),
})
export type Mail = Static<typeof Mail>
