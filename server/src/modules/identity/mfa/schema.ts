import { Type, type Static } from 'typebox'
import { Assertion } from '../passkeys/schema.ts'

const closed = { additionalProperties: false } as const

const Code = Type.String({ minLength: 1, maxLength: 64, description: 'Six digits of the authenticator app.' })

const end_other_sessions = Type.Optional(Type.Boolean({ description: 'Sign out everywhere but here.' }))

const proofFields = {
  password: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024 })),
  code: Type.Optional(
    Type.String({ minLength: 1, maxLength: 64, description: 'Six digits of the authenticator app, or a recovery code.' }),
  ),
  passkey: Type.Optional(Assertion),
}

export const Proof = Type.Object(proofFields, { ...closed, title: 'Proof', description: 'One of them shows once more that it is you.' })
export type Proof = Static<typeof Proof>

export const FactorRemoval = Type.Object({ ...proofFields, end_other_sessions }, { ...closed, title: 'FactorRemoval' })
export type FactorRemoval = Static<typeof FactorRemoval>

export const OfferedTotp = Type.Object(
  {
    secret: Type.String({ description: 'In base32, for typing in. Shown this once.' }),
    uri: Type.String({ description: 'The same for a QR code: `otpauth://totp/…`.' }),
    expires_at: Type.String({ format: 'date-time', description: 'Until when it can be confirmed.' }),
  },
  { title: 'OfferedTotp' },
)
export type OfferedTotp = Static<typeof OfferedTotp>

export const TotpConfirmation = Type.Object({ code: Code, end_other_sessions }, { ...closed, title: 'TotpConfirmation' })
export type TotpConfirmation = Static<typeof TotpConfirmation>

export const RecoveryCodes = Type.Object(
  { recovery_codes: Type.Array(Type.String(), { description: 'Each works once, in place of a second factor. Shown this once.' }) },
  { title: 'RecoveryCodes' },
)

export const MfaStatus = Type.Object(
  {
    totp: Type.Object({
      enabled: Type.Boolean(),
      confirmed_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    }),
    passkeys: Type.Integer(),
    recovery_codes_left: Type.Integer(),
    is_required: Type.Boolean({ description: 'The installation asks this account for a second factor.' }),
  },
  { title: 'MfaStatus' },
)
export type MfaStatus = Static<typeof MfaStatus>

export const MfaAnswer = Type.Object(
  {
    challenge: Type.String({ minLength: 1, maxLength: 200 }),
    code: Type.Optional(Code),
    recovery_code: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    passkey: Type.Optional(Assertion),
    use_cookie: Type.Optional(
      Type.Boolean({ description: 'For pages of this installation: the refresh token comes as an HttpOnly cookie and not in the reply.' }),
    ),
  },
  { ...closed, title: 'MfaAnswer' },
)
export type MfaAnswer = Static<typeof MfaAnswer>

export const OpenChallenge = Type.Object(
  { challenge: Type.String({ minLength: 1, maxLength: 200, description: 'That the first factor was answered with.' }) },
  { ...closed, title: 'OpenChallenge' },
)
