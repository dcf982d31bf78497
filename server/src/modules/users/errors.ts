import { defineErrors } from '../../platform/errors.ts'

export const errors = defineErrors('users', {
  not_found: { status: 404, title: 'There is no such user' },
  email_taken: { status: 409, title: 'An account with this e-mail address exists' },
  username_taken: { status: 409, title: 'This username belongs to somebody else' },
  own_role: { status: 409, title: 'Nobody changes their own role' },
  last_admin: { status: 409, title: 'This is the last admin of the installation' },
  export_running: { status: 409, title: 'An export is being made; it is ready in a moment' },
  export_not_found: { status: 404, title: 'There is no such export' },
  settings_too_large: { status: 422, title: 'The settings are too large' },
})
