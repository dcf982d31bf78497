import { Type, type Static } from 'typebox'
import { Proof } from '../mfa/schema.ts'

export const ProviderName = Type.String({ minLength: 1, maxLength: 32, pattern: '^[a-z0-9-]+$' })

export const ProviderList = Type.Object(
  { items: Type.Array(Type.Object({ name: Type.String(), label: Type.String({ description: 'For the button.' }) })) },
  { title: 'SignInProviders' },
)

const redirect_to = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 2_000,
    description:
      'Where the browser goes at the end: a path of this installation, or an address of an origin that `MILLRACE_CORS_ORIGINS` names. `/` when not given.',
  }),
)

export const StartFields = {
  redirect_to,
  remember_me: Type.Optional(Type.Boolean()),
  use_cookie: Type.Optional(
    Type.Boolean({ description: 'The exchange puts the refresh token into an HttpOnly cookie and not into its reply.' }),
  ),
  code_challenge: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9_-]{43}$',
      description:
        'For apps that are another site than this installation: the SHA-256, in base64url, of a `code_verifier` that the exchange then asks for instead of the cookie (RFC 7636).',
    }),
  ),
}

export const Start = Type.Object(StartFields, { additionalProperties: false, title: 'OidcStart' })
export type Start = Static<typeof Start>

export const LinkStart = Type.Object(
  { redirect_to, ...Proof.properties },
  { additionalProperties: false, title: 'OidcLinkStart', description: 'The password or a code shows once more that it is you.' },
)
export type LinkStart = Static<typeof LinkStart>

export const Started = Type.Object({ authorization_url: Type.String() }, { title: 'OidcStarted' })

const text = Type.Optional(Type.String({ maxLength: 4_096 }))

/** What comes back with the browser. Providers add fields of their own. */
export const Callback = Type.Object(
  { state: Type.String({ minLength: 1, maxLength: 200 }), code: text, iss: text, error: text, error_description: text },
  { additionalProperties: Type.Unknown() },
)
export type Callback = Static<typeof Callback>

export const Exchange = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 200 }),
    code_verifier: Type.Optional(Type.String({ minLength: 43, maxLength: 128, pattern: '^[A-Za-z0-9._~-]+$' })),
  },
  { additionalProperties: false, title: 'OidcExchange' },
)
export type Exchange = Static<typeof Exchange>

const Time = Type.String({ format: 'date-time' })

export const Identity = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    provider: Type.Union([Type.String(), Type.Null()], {
      description: 'Its name in the configuration; null for an issuer of access tokens.',
    }),
    issuer: Type.String(),
    subject: Type.String({ description: 'Who you are there.' }),
    email: Type.Union([Type.String(), Type.Null()], { description: 'As the issuer last said.' }),
    created_at: Time,
    last_used_at: Time,
  },
  { title: 'Identity' },
)
