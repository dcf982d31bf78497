import { defineErrors } from '../../../platform/errors.ts'

export const errors = defineErrors('auth', {
  link_invalid: {
    status: 410,
    title: 'This link is not valid any more; ask for a new one',
    doc: 'It was used, is too old, was replaced by a newer one, belongs to something else or never was: all are answered the same.',
  },
  password_wrong: { status: 403, title: 'The password is wrong' },
  reauthentication_required: {
    status: 403,
    title: 'Show again that it is you',
    doc: 'Give the password of the account with the request. For an account that has none: sign in again, and come back within 15 minutes.',
  },
  email_unverified: {
    status: 403,
    title: 'The e-mail address of this account has not been confirmed; a link is on its way to it',
    doc: 'Told only to who has the right password, and only where `MILLRACE_REQUIRE_VERIFIED_EMAIL` is on.',
  },
  email_unchanged: { status: 409, title: 'That is the address of this account already' },
  email_already_verified: { status: 409, title: 'The e-mail address of this account has been confirmed already' },
  magic_link_off: { status: 403, title: 'This server signs nobody in by a link' },
})
