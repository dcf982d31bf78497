import { defineErrors } from '../../platform/errors.ts'

export const errors = defineErrors('users', {
  not_found: { status: 404, title: 'There is no such user' },
  email_taken: { status: 409, title: 'An account with this e-mail address exists' },
  username_taken: { status: 409, title: 'This username belongs to somebody else' },
  stale: { status: 412, title: 'The profile was changed since it was read; read it again' },
})
