import { Type } from 'typebox'
import { defineEvent } from '../../../platform/events/event.ts'

const Id = Type.String({ format: 'uuid' })
const Email = Type.String()

/** Written for every request, whoever has the address: the answer to it is worked out afterwards, by a consumer. */
export const passwordResetRequested = defineEvent({
  name: 'identity.password_reset.requested',
  doc: 'Somebody asked for a link to set a new password. The same for an address without an account.',
  data: Type.Object({ email: Email }),
})

export const magicLinkRequested = defineEvent({
  name: 'identity.magic_link.requested',
  doc: 'Somebody asked for a link to sign in with. The same for an address without an account.',
  data: Type.Object({ email: Email }),
})

export const emailChangeRequested = defineEvent({
  name: 'identity.email_change.requested',
  doc: 'A user asked for another address. It becomes theirs when the link sent to it is used. The same for an address that has an account.',
  data: Type.Object({ user_id: Id, email: Email }),
})

export const passwordReset = defineEvent({
  name: 'identity.password.reset',
  doc: 'A password was set with a link by mail; every session of the account has ended.',
  data: Type.Object({ user_id: Id }),
})

export const passwordChanged = defineEvent({
  name: 'identity.password.changed',
  doc: 'A user changed their password; their other sessions have ended.',
  data: Type.Object({ user_id: Id }),
})

export const emailVerified = defineEvent({
  name: 'identity.email.verified',
  doc: 'It was shown that the address of an account belongs to who uses the account.',
  data: Type.Object({ user_id: Id, email: Email }),
})

export const emailChanged = defineEvent({
  name: 'identity.email.changed',
  doc: 'An account has another address, which was shown to be theirs.',
  data: Type.Object({ user_id: Id, email: Email, previous_email: Email }),
})

export const accountClaimed = defineEvent({
  name: 'identity.account.claimed',
  doc: 'The owner of an address took over the account that somebody had made with it and never confirmed; every way into it from before is gone.',
  data: Type.Object({ user_id: Id, email: Email }),
})

export const accountDisowned = defineEvent({
  name: 'identity.account.disowned',
  doc: 'The owner of an address said that they did not make the account; nobody can get into it any more but with a link to that address.',
  data: Type.Object({ user_id: Id, email: Email }),
})

export const reauthenticationFailed = defineEvent({
  name: 'identity.reauthentication.failed',
  doc: 'In a session of theirs a user was asked for the password again, and it was wrong.',
  data: Type.Object({ user_id: Id }),
})
