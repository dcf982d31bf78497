import { Type, type Static } from 'typebox'
import { DisplayName, Email, Plan, Role, Username } from '../../users/schema.ts'

export const NewAccount = Type.Object(
  {
    email: Email,
    username: Type.Optional(Username),
    name: Type.Optional(DisplayName),
    role: Type.Optional(Role),
    plan: Type.Optional(Plan),
    password: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1_024,
        description: 'Without a password, and without a hash of one, the address gets a link to choose one.',
      }),
    ),
    password_hash: Type.Optional(
      Type.String({
        minLength: 20,
        maxLength: 300,
        description:
          'Of an account that moves here: bcrypt (`$2a$`, `$2b$`, `$2y$`) or argon2id in the PHC form. Replaced by ours at the next sign-in.',
      }),
    ),
    email_verified: Type.Optional(Type.Boolean({ description: 'True when it is known that the address belongs to this person.' })),
  },
  { additionalProperties: false, title: 'NewAccount' },
)
export type NewAccount = Static<typeof NewAccount>

export const Leaving = Type.Object(
  {
    password: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024 })),
    code: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'A second factor, instead of the password.' })),
  },
  { additionalProperties: false, title: 'Leaving' },
)
