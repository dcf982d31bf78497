import { defineErrors } from '../../../platform/errors.ts'

export const errors = defineErrors('auth', {
  provider_not_found: { status: 404, title: 'There is no such sign-in provider' },
  provider_unavailable: {
    status: 503,
    title: 'The sign-in provider does not answer',
    doc: 'It is down, slow or cannot be reached from this server; the log says which. Other ways of signing in are not touched.',
  },
  provider_denied: { status: 403, title: 'The sign-in was refused or broken off at the provider' },
  provider_failed: {
    status: 502,
    title: 'What the provider answered does not prove who you are',
    doc: 'A wrong issuer, audience, nonce or signature, or an answer that is no answer; the log says which. Start the sign-in anew.',
  },
  flow_invalid: {
    status: 400,
    title: 'This sign-in was not begun in this browser, is over, or took too long',
    doc: 'A sign-in with a provider counts once, within ten minutes, and in the browser that began it. Start it anew.',
  },
  redirect_refused: {
    status: 422,
    title: 'The sign-in cannot lead there',
    doc: '`redirect_to` is a path of this installation, or an address of an origin that `MILLRACE_CORS_ORIGINS` names.',
  },
  oidc_code_invalid: {
    status: 401,
    title: 'The code is not valid, was used, or is too old',
    doc: 'It is good once, for a minute, in the browser that signed in or with the `code_verifier` of the `code_challenge` that was given.',
  },
  account_inactive: { status: 403, title: 'This account is switched off' },
  email_taken: {
    status: 409,
    title: 'There is an account with this e-mail address, and the provider does not vouch for it',
    doc: 'Sign in to the account in another way and link the provider there.',
  },
  email_missing: {
    status: 422,
    title: 'The provider tells no e-mail address',
    doc: 'A new account needs one. Allow the provider to share it, or sign in to your account in another way and link the provider there.',
  },
  identity_taken: { status: 409, title: 'This identity belongs to another account' },
  identity_not_found: { status: 404, title: 'You have no such identity' },
  last_way_in: {
    status: 409,
    title: 'This is the last way to sign in to the account',
    doc: 'Set a password, add a passkey or link another provider first.',
  },
})
