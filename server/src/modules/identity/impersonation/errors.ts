import { defineErrors } from '../../../platform/errors.ts'

export const errors = defineErrors('auth', {
  impersonation_refused: {
    status: 403,
    title: 'Nobody can act as this user',
    doc: 'Not as oneself, not as another admin, not as an account that is switched off.',
  },
  not_impersonating: { status: 409, title: 'You are not acting as somebody else' },
})
