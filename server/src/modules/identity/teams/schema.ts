import { Type, type Static } from 'typebox'
import { DisplayName, Username } from '../../users/schema.ts'

const closed = { additionalProperties: false } as const

const token = Type.String({ minLength: 1, maxLength: 200, description: 'Of the link in the mail.' })
const Password = Type.String({ minLength: 1, maxLength: 1_024 })
const use_cookie = Type.Optional(
  Type.Boolean({ description: 'For pages of this installation: the refresh token comes as an HttpOnly cookie and not in the reply.' }),
)

export const InvitedRegistration = Type.Object(
  { token, password: Password, username: Type.Optional(Username), name: Type.Optional(DisplayName), use_cookie },
  { ...closed, title: 'InvitedRegistration' },
)
export type InvitedRegistration = Static<typeof InvitedRegistration>

export const InvitedLogin = Type.Object(
  {
    token,
    password: Password,
    code: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'The second factor of an account that has one; not looked at otherwise.' }),
    ),
    use_cookie,
  },
  { ...closed, title: 'InvitedLogin' },
)
export type InvitedLogin = Static<typeof InvitedLogin>

export const Switched = Type.Object(
  {
    access_token: Type.String(),
    token_type: Type.Literal('bearer'),
    expires_in: Type.Integer({ description: 'Seconds until the access token expires.' }),
    workspace_id: Type.String({ format: 'uuid' }),
  },
  { title: 'Switched' },
)
