import { defineErrors } from '../../../platform/errors.ts'

export const errors = defineErrors('auth', {
  mfa_required: {
    status: 401,
    title: 'This account has a second factor',
    doc: 'The first factor was right. `challenge` is to be sent with one of `methods` to `POST /auth/mfa/verify` before `expires_at`.',
  },
  mfa_invalid: {
    status: 401,
    title: 'The second factor is wrong',
    doc: 'The same for a wrong code and one that was used before. After five of them a challenge ends.',
  },
  mfa_challenge_invalid: {
    status: 401,
    title: 'This sign-in has ended; sign in again',
    doc: 'A challenge is good for ten minutes, for one success or five mistakes, and as long as the password stays what it was.',
  },
  mfa_blocked: {
    status: 429,
    title: 'Too many wrong codes for this account',
    doc: 'Ten wrong codes in a row and codes of an authenticator app are not looked at for an hour; after a hundred, until another factor was right. Recovery codes and passkeys go on working.',
  },
  code_invalid: { status: 422, title: 'The code is not the one that the app shows now' },
  totp_enabled: { status: 409, title: 'An authenticator app is set up already; remove it first' },
  totp_not_enabled: { status: 409, title: 'No authenticator app is set up' },
  totp_not_started: {
    status: 409,
    title: 'There is no secret to confirm; begin again',
    doc: 'A secret that is not confirmed within an hour is forgotten.',
  },
  mfa_not_enabled: { status: 409, title: 'This account has no second factor' },
  self_mfa_removal: { status: 409, title: 'An admin cannot take away their own second factors; use the account’s own routes' },
})
