import { type Static, Type } from 'typebox'

const Recipients = (description: string) =>
  Type.Union([Type.String({ minLength: 1, maxLength: 254 }), Type.Array(Type.String({ minLength: 1, maxLength: 254 }), { maxItems: 50 })], {
    description,
  })

const integration_id = Type.String({
  format: 'literal',
  pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
  description:
    'An integration of the type `smtp`. Without it the mail goes through the product’s own server, to members of the workspace alone.',
})

export const MailConfig = Type.Object(
  {
    integration_id: Type.Optional(integration_id),
    from: Type.Optional(
      Type.String({
        maxLength: 320,
        description: 'Whom it comes from: `Acme <orders@example.com>`. The integration says, when this does not.',
      }),
    ),
    to: Recipients('An address, or a list of up to 50. Without an integration also ids of members, `owners` and `members`.'),
    cc: Type.Optional(Recipients('Who else gets it, seen by all.')),
    bcc: Type.Optional(Recipients('Who else gets it, seen by nobody.')),
    reply_to: Type.Optional(Type.String({ maxLength: 254, description: 'Where answers go.' })),
    subject: Type.String({ minLength: 1, maxLength: 1_000 }),
    text: Type.String({ maxLength: 500_000, description: 'As plain text; an empty line begins a paragraph.' }),
    html: Type.Optional(Type.String({ maxLength: 500_000, description: 'The same as HTML, for programs that show it.' })),
  },
  { additionalProperties: false },
)
export type MailConfig = Static<typeof MailConfig>

export const MailOutput = Type.Object({
  message_id: Type.Union([Type.String(), Type.Null()], { description: 'Its `Message-ID`; null of one that goes through the product.' }),
  accepted: Type.Array(Type.String(), { description: 'Addresses that it is on its way to.' }),
  rejected: Type.Array(
    Type.Object(
      { address: Type.String(), reason: Type.String() },
      { description: 'Addresses that the server does not take, while it takes others.' },
    ),
  ),
})

/** What a step has sent. */
export interface Letter {
  readonly to: readonly string[]
  readonly cc: readonly string[]
  readonly bcc: readonly string[]
  readonly reply_to: string | null
  readonly from: string | null
  readonly subject: string
  readonly text: string
  readonly html: string | null
}
