import { defineErrors } from '../../platform/errors.ts'

export const errors = defineErrors('auth', {
  invalid_credentials: {
    status: 401,
    title: 'E-mail address or password is wrong',
    doc: 'The same answer for an unknown address, a wrong password and an account that is switched off.',
  },
  token_invalid: { status: 401, title: 'The access token is not valid' },
  token_expired: { status: 401, title: 'The access token has expired; use the refresh token' },
  session_revoked: { status: 401, title: 'This session has ended; sign in again' },
  api_key_invalid: { status: 401, title: 'The API key is not valid' },
  refresh_invalid: { status: 401, title: 'The refresh token is not valid' },
  refresh_expired: { status: 401, title: 'The refresh token has expired; sign in again' },
  refresh_reused: {
    status: 401,
    title: 'The refresh token was used before; its session has ended',
    doc: 'Either a copy of the token is in other hands or the client kept an old one. The whole session ends, so that a thief gains nothing.',
  },
  cross_site: {
    status: 403,
    title: 'The refresh cookie is accepted from our own pages only',
    doc: 'When a browser refreshes by cookie it must say `Sec-Fetch-Site: same-origin`, or an `Origin` that is the address of this installation or that `MILLRACE_CORS_ORIGINS` names.',
  },
  password_weak: { status: 422, title: 'The password does not meet the policy' },
  registration_closed: { status: 403, title: 'This server takes no new accounts' },
  session_not_found: { status: 404, title: 'There is no such session' },
  setup_invalid: {
    status: 401,
    title: 'The set-up link is not valid any more',
    doc: 'A new one is printed when the server starts, as long as there is no admin.',
  },
  setup_done: { status: 409, title: 'This installation has its first admin' },
  self_deactivation: { status: 409, title: 'An admin cannot switch off their own account' },
})

export const busy = defineErrors('identity', {
  busy: {
    status: 503,
    title: 'More people are signing in than this server can check at once',
    doc: 'Passwords wait for a hash for at most about a second; beyond that the server says so at once. `Retry-After` says when to try again.',
  },
  too_many_attempts: {
    status: 429,
    title: 'Too many wrong passwords from this address',
    doc: 'Counted per account and address together, and per address over all accounts, so nobody can lock somebody else out.',
  },
  account_guarded: {
    status: 429,
    title: 'Too many wrong passwords for this account; sign in from where you did lately, or with a link by mail',
    doc: 'Somebody guesses at the password from many addresses. For the rest of the hour a password is taken only from networks where this account was signed in to within 90 days, or has a session. A link to sign in, a passkey, an identity provider and a new password by mail work from everywhere. The same for an address without an account.',
  },
})
