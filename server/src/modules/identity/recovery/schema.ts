import { Type, type Static } from 'typebox'
import { Email } from '../../users/schema.ts'

const closed = { additionalProperties: false } as const

/** The token of a link. What is no token at all is told the same as one that does not work, so its form is not checked here. */
const LinkToken = Type.String({ minLength: 1, maxLength: 200, description: 'From the link, what stands after `#token=`.' })
const NewPassword = Type.String({ minLength: 1, maxLength: 1_024, description: '12 to 128 characters, and not a common one.' })

export const ForgottenPassword = Type.Object({ email: Email }, { ...closed, title: 'ForgottenPassword' })

export const PasswordReset = Type.Object({ token: LinkToken, password: NewPassword }, { ...closed, title: 'PasswordReset' })
export type PasswordReset = Static<typeof PasswordReset>
