import { Type } from 'typebox'
import { defineEvent } from '../../../platform/events/event.ts'

const Id = Type.String({ format: 'uuid' })
const Identity = {
  identity_id: Id,
  user_id: Id,
  issuer: Type.String(),
  subject: Type.String(),
  provider: Type.Union([Type.String(), Type.Null()]),
}

export const identityLinked = defineEvent({
  name: 'identity.identity.linked',
  doc: 'A user of an issuer (a sign-in provider, or one whose access tokens are taken) signs in to this account from now on.',
  data: Type.Object(Identity),
})

export const identityUnlinked = defineEvent({
  name: 'identity.identity.unlinked',
  doc: 'A user of an issuer does not sign in to this account any more.',
  data: Type.Object(Identity),
})
