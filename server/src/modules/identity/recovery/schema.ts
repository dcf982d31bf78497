import { Type, type Static } from 'typebox'
import { Email } from '../../users/schema.ts'

const closed = { additionalProperties: false } as const

/** The token of a link. What is no token at all is told the same as one that does not work, so its form is not checked here. */
const LinkToken = Type.String({ minLength: 1, maxLength: 200, description: 'From the link, what stands after `#token=`.' })
const NewPassword = Type.String({ minLength: 1, maxLength: 1_024, description: '12 to 128 characters, and not a common one.' })

export const ForgottenPassword = Type.Object({ email: Email }, { ...closed, title: 'ForgottenPassword' })

export const PasswordReset = Type.Object({ token: LinkToken, password: NewPassword }, { ...closed, title: 'PasswordReset' })
export type PasswordReset = Static<typeof PasswordReset>

const GivenPassword = Type.String({ minLength: 1, maxLength: 1_024 })

export const PasswordChange = Type.Object(
  {
    password: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1_024,
        description: 'The one until now. An account that has none needs a session younger than 15 minutes instead.',
      }),
    ),
    new_password: NewPassword,
  },
  { ...closed, title: 'PasswordChange' },
)
export type PasswordChange = Static<typeof PasswordChange>

export const EmailVerification = Type.Object(
  {
    token: LinkToken,
    password: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1_024,
        description: 'Of the account that the link belongs to. Not needed in a session of that account.',
      }),
    ),
  },
  { ...closed, title: 'EmailVerification' },
)

export const Disowning = Type.Object({ token: LinkToken }, { ...closed, title: 'Disowning' })

export const EmailChange = Type.Object({ email: Email, password: Type.Optional(GivenPassword) }, { ...closed, title: 'EmailChange' })

export const ConfirmedAddress = Type.Object(
  { message: Type.String(), email: Type.String({ description: 'The address of the account, confirmed now.' }) },
  { title: 'ConfirmedAddress' },
)

export const MagicLinkRequest = Type.Object({ email: Email }, { ...closed, title: 'MagicLinkRequest' })

export const MagicLinkUse = Type.Object(
  { token: LinkToken, remember_me: Type.Optional(Type.Boolean()), use_cookie: Type.Optional(Type.Boolean()) },
  { ...closed, title: 'MagicLinkUse' },
)
