import { Type, type Static } from 'typebox'

export const Impersonation = Type.Object(
  {
    reason: Type.String({
      minLength: 1,
      maxLength: 500,
      pattern: '\\S',
      description: 'Why: for the audit, and for the user if they ask.',
    }),
  },
  { additionalProperties: false, title: 'Impersonation' },
)
export type Impersonation = Static<typeof Impersonation>
