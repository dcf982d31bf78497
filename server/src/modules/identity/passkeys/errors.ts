import { defineErrors } from '../../../platform/errors.ts'

export const errors = defineErrors('auth', {
  passkey_invalid: {
    status: 401,
    title: 'The passkey was not accepted',
    doc: 'The same for a passkey that nobody has here, a signature that is wrong, and a challenge that is too old, was used or belongs to something else.',
  },
  passkey_rejected: {
    status: 422,
    title: 'The new passkey was not accepted',
    doc: 'Its challenge is too old or was used, it was made for another address, or the authenticator did not check who uses it.',
  },
  passkey_taken: { status: 409, title: 'This passkey is in use already' },
  passkeys_full: { status: 409, title: 'This account has as many passkeys as it may have; remove one first' },
  passkey_not_found: { status: 404, title: 'There is no such passkey' },
  passkeys_unavailable: {
    status: 409,
    title: 'Passkeys need a name, and this server is reached by a number',
    doc: 'A passkey belongs to a domain, never to an IP address: set `PUBLIC_URL` to a name, on your own machine to `http://localhost:3000`.',
  },
})
