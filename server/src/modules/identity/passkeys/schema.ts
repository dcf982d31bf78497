import { Type, type Static } from 'typebox'

// Options and credentials have the form that browsers make and read (WebAuthn level 3, sections 5.1.8 to 5.1.10): it is theirs, so it is in
// camelCase, and a field that a newer browser adds is no mistake.
const open = { additionalProperties: true } as const
const closed = { additionalProperties: false } as const

const Bytes = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '^[A-Za-z0-9_-]+$', description: 'In base64url.' })
const Extensions = Type.Optional(Type.Record(Type.String({ maxLength: 100 }), Type.Unknown(), { maxProperties: 50 }))
const Attachment = Type.Optional(Type.Union([Type.String({ maxLength: 100 }), Type.Null()]))

const credential = {
  id: Bytes(1_400),
  rawId: Bytes(1_400),
  type: Type.Literal('public-key'),
  authenticatorAttachment: Attachment,
  clientExtensionResults: Extensions,
}

/** What `navigator.credentials.get()` answers, by its `toJSON()`. */
export const Assertion = Type.Object(
  {
    ...credential,
    response: Type.Object(
      {
        clientDataJSON: Bytes(8_192),
        authenticatorData: Bytes(8_192),
        signature: Bytes(8_192),
        userHandle: Type.Optional(Type.Union([Bytes(100), Type.Literal(''), Type.Null()])),
      },
      open,
    ),
  },
  { ...open, title: 'PasskeyAssertion', description: 'What `navigator.credentials.get()` answers, by its `toJSON()`.' },
)
export type Assertion = Static<typeof Assertion>

/** What `navigator.credentials.create()` answers, by its `toJSON()`. */
export const Attestation = Type.Object(
  {
    ...credential,
    response: Type.Object(
      {
        clientDataJSON: Bytes(8_192),
        attestationObject: Bytes(32_768),
        transports: Type.Optional(Type.Array(Type.String({ maxLength: 32 }), { maxItems: 10 })),
      },
      open,
    ),
  },
  { ...open, title: 'PasskeyAttestation', description: 'What `navigator.credentials.create()` answers, by its `toJSON()`.' },
)
export type Attestation = Static<typeof Attestation>

const Descriptor = Type.Object({ type: Type.Literal('public-key'), id: Type.String(), transports: Type.Array(Type.String()) })
const userVerification = Type.Literal('required')
const timeout = Type.Integer({ description: 'Milliseconds.' })

export const CreationOptions = Type.Object(
  {
    rp: Type.Object({ id: Type.String(), name: Type.String() }),
    user: Type.Object({ id: Type.String(), name: Type.String(), displayName: Type.String() }),
    challenge: Type.String(),
    pubKeyCredParams: Type.Array(Type.Object({ type: Type.Literal('public-key'), alg: Type.Integer() })),
    timeout,
    excludeCredentials: Type.Array(Descriptor),
    authenticatorSelection: Type.Object({
      residentKey: Type.Literal('required'),
      requireResidentKey: Type.Literal(true),
      userVerification,
    }),
    attestation: Type.Literal('none'),
  },
  { title: 'PasskeyCreationOptions', description: 'For `PublicKeyCredential.parseCreationOptionsFromJSON()`.' },
)
export type CreationOptions = Static<typeof CreationOptions>

export const RequestOptions = Type.Object(
  {
    challenge: Type.String(),
    timeout,
    rpId: Type.String(),
    allowCredentials: Type.Array(Descriptor, { description: 'Empty: the person chooses the account.' }),
    userVerification,
  },
  { title: 'PasskeyRequestOptions', description: 'For `PublicKeyCredential.parseRequestOptionsFromJSON()`.' },
)
export type RequestOptions = Static<typeof RequestOptions>

const Name = Type.String({ minLength: 1, maxLength: 100 })

export const NewPasskey = Type.Object({ passkey: Attestation, name: Type.Optional(Name) }, { ...closed, title: 'NewPasskey' })
export type NewPasskey = Static<typeof NewPasskey>

export const PasskeyChange = Type.Object({ name: Name }, { ...closed, title: 'PasskeyChange' })

export const Passkey = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: Type.String(),
    is_synced: Type.Boolean({ description: 'May exist on several devices of its owner.' }),
    transports: Type.Array(Type.String()),
    aaguid: Type.String({ format: 'uuid', description: 'The model of the authenticator; all zeros when it does not say.' }),
    created_at: Type.String({ format: 'date-time' }),
    last_used_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
  },
  { title: 'Passkey' },
)
export type Passkey = Static<typeof Passkey>

export const AddedPasskey = Type.Object(
  {
    passkey: Passkey,
    recovery_codes: Type.Union([Type.Array(Type.String()), Type.Null()], {
      description: 'Ten, shown this once, with the first second factor of an account; null otherwise.',
    }),
  },
  { title: 'AddedPasskey' },
)

export const PasskeySignIn = Type.Object(
  {
    passkey: Assertion,
    remember_me: Type.Optional(Type.Boolean()),
    use_cookie: Type.Optional(
      Type.Boolean({ description: 'For pages of this installation: the refresh token comes as an HttpOnly cookie and not in the reply.' }),
    ),
  },
  { ...closed, title: 'PasskeySignIn' },
)
export type PasskeySignIn = Static<typeof PasskeySignIn>
