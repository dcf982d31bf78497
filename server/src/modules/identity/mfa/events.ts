import { Type } from 'typebox'
import { defineEvent } from '../../../platform/events/event.ts'

const Id = Type.String({ format: 'uuid' })
const Where = { address: Type.Union([Type.String(), Type.Null()]), user_agent: Type.Union([Type.String(), Type.Null()]) }
const Totp = Type.Literal('totp')

export const mfaEnabled = defineEvent({
  name: 'identity.mfa.enabled',
  doc: 'Somebody set up an authenticator app.',
  data: Type.Object({ user_id: Id, factor: Totp }),
})

export const mfaDisabled = defineEvent({
  name: 'identity.mfa.disabled',
  doc: 'An authenticator app was removed: by its owner, or with all other second factors by an admin or because the account was taken over by who holds its address.',
  data: Type.Object({ user_id: Id, factor: Totp, reason: Type.Enum(['removed', 'admin', 'claimed', 'disowned']) }),
})

export const mfaRequired = defineEvent({
  name: 'identity.mfa.required',
  doc: 'A first factor was right, and the second one was asked for.',
  data: Type.Object({ user_id: Id, method: Type.String(), ...Where }),
})

export const mfaFailed = defineEvent({
  name: 'identity.mfa.failed',
  doc: 'A second factor was wrong. `blocked_until` when codes of the authenticator app are not looked at from now on.',
  data: Type.Object({
    user_id: Id,
    factor: Type.Union([Totp, Type.Literal('recovery_code')]),
    wrong_in_a_row: Type.Integer(),
    blocked_until: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
  }),
})

export const recoveryCodeUsed = defineEvent({
  name: 'identity.recovery_code.used',
  doc: 'A recovery code was used in place of a second factor.',
  data: Type.Object({ user_id: Id, left: Type.Integer() }),
})

export const recoveryCodesMade = defineEvent({
  name: 'identity.recovery_codes.made',
  doc: 'New recovery codes were made; older ones work no more.',
  data: Type.Object({ user_id: Id, count: Type.Integer() }),
})
