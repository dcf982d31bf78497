import { Type, type Static } from 'typebox'
import { DisplayName, Email, User, Username } from '../users/schema.ts'
import { Workspace } from '../workspaces/schema.ts'

// The policy's own words for its length come from `password-policy.ts`; here only what keeps a body from being absurd.
const NewPassword = Type.String({ minLength: 1, maxLength: 1_024, description: '12 to 128 characters, and not a common one.' })
const GivenPassword = Type.String({ minLength: 1, maxLength: 1_024 })

const use_cookie = Type.Optional(
  Type.Boolean({ description: 'For pages of this installation: the refresh token comes as an HttpOnly cookie and not in the reply.' }),
)
const closed = { additionalProperties: false } as const

export const Registration = Type.Object(
  { email: Email, password: NewPassword, username: Type.Optional(Username), name: Type.Optional(DisplayName), use_cookie },
  { ...closed, title: 'Registration' },
)
export type Registration = Static<typeof Registration>

export const Login = Type.Object(
  {
    email: Email,
    password: GivenPassword,
    remember_me: Type.Optional(Type.Boolean()),
    code: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'The second factor of an account that has one; not looked at otherwise.' }),
    ),
    use_cookie,
  },
  { ...closed, title: 'Login' },
)
export type Login = Static<typeof Login>

export const Setup = Type.Object(
  {
    token: Type.String({ minLength: 1, maxLength: 200 }),
    email: Email,
    password: NewPassword,
    name: Type.Optional(DisplayName),
    use_cookie,
  },
  { ...closed, title: 'Setup' },
)
export type Setup = Static<typeof Setup>

export const Refresh = Type.Object(
  // What is no refresh token, such as an access token, is answered 401 and not 422.
  { refresh_token: Type.Optional(Type.String({ minLength: 1, maxLength: 8_192 })) },
  { ...closed, title: 'Refresh' },
)

const TokenFields = {
  access_token: Type.String(),
  refresh_token: Type.Union([Type.String(), Type.Null()], { description: 'Null when it was put into the cookie, or there is none.' }),
  token_type: Type.Literal('bearer'),
  expires_in: Type.Integer({ description: 'Seconds until the access token expires.' }),
}

export const SignedIn = Type.Object({ user: User, ...TokenFields }, { title: 'SignedIn' })

export const Message = Type.Object({ message: Type.String() }, { title: 'Message' })

export const Me = Type.Object(
  {
    ...User.properties,
    workspace_id: Type.String({ format: 'uuid', description: 'The current workspace.' }),
    workspaces: Type.Array(Workspace),
    impersonated_by: Type.Union([Type.String({ format: 'uuid' }), Type.Null()], {
      description: 'The admin who acts as this user in this session.',
    }),
  },
  { title: 'Me' },
)

export const Verified = Type.Object(
  {
    valid: Type.Literal(true),
    user_id: Type.String({ format: 'uuid' }),
    session_id: Type.Union([Type.String({ format: 'uuid' }), Type.Null()], { description: 'Null for what is no session of ours.' }),
    api_key_id: Type.Union([Type.String({ format: 'uuid' }), Type.Null()]),
    expires_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description: 'When this access token or key expires; null for a key that does not.',
    }),
    scopes: Type.Array(Type.String(), {
      description: 'What it is narrowed to: `*` for everything that the role of its user may do, of a key the permissions that it has now.',
    }),
  },
  { title: 'Verified' },
)

export const Session = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    device: Type.String({ description: 'Browser and system, as far as the client said.' }),
    address: Type.Union([Type.String(), Type.Null()]),
    user_agent: Type.Union([Type.String(), Type.Null()]),
    is_current: Type.Boolean(),
    impersonated: Type.Boolean({ description: 'An administrator of the installation acts as you in it.' }),
    created_at: Type.String({ format: 'date-time' }),
    last_seen_at: Type.String({ format: 'date-time', description: 'The last sign-in or refresh.' }),
    expires_at: Type.String({ format: 'date-time', description: 'When it ends unless it is used before.' }),
  },
  { title: 'Session' },
)

export const StatusChange = Type.Object({ is_active: Type.Boolean() }, { ...closed, title: 'StatusChange' })
