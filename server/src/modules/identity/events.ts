import { Type, type Static } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'

const Id = Type.String({ format: 'uuid' })
const Where = { address: Type.Union([Type.String(), Type.Null()]), user_agent: Type.Union([Type.String(), Type.Null()]) }

/** How somebody showed who they are. */
export const Method = Type.Enum(['password', 'registration', 'setup', 'magic_link', 'oidc', 'passkey', 'mfa', 'impersonation'])
export type Method = Static<typeof Method>

export const sessionCreated = defineEvent({
  name: 'identity.session.created',
  doc: 'Somebody signed in.',
  data: Type.Object({
    session_id: Id,
    user_id: Id,
    method: Method,
    ...Where,
  }),
})

export const RevokedReason = Type.Union([
  Type.Literal('logout'),
  Type.Literal('logout_all'),
  Type.Literal('removed'),
  Type.Literal('refresh_reused'),
  Type.Literal('deactivated'),
  Type.Literal('too_many'),
  Type.Literal('password_changed'),
  Type.Literal('password_reset'),
  Type.Literal('claimed'),
  Type.Literal('disowned'),
  Type.Literal('mfa_removed'),
  Type.Literal('impersonation_ended'),
  Type.Literal('impersonator_left'),
])

export const sessionRevoked = defineEvent({
  name: 'identity.session.revoked',
  doc: 'A session was ended before its time; its access tokens stop working with this event.',
  data: Type.Object({ session_id: Id, user_id: Id, reason: RevokedReason }),
})

export const loginFailed = defineEvent({
  name: 'identity.login.failed',
  doc: 'A sign-in was refused. The same for an address without an account.',
  data: Type.Object({ email: Type.String(), ...Where }),
})

export const signingKeyRotated = defineEvent({
  name: 'identity.signing_key.rotated',
  doc: 'A new key signs access tokens from now on.',
  data: Type.Object({ kid: Type.String() }),
})
