import { defineErrors } from '../../platform/errors.ts'

export const errors = defineErrors('mail', {
  not_found: { status: 404, title: 'There is no such mail', doc: 'Mails are removed after thirty days.' },
  address_invalid: { status: 422, title: 'No mail can be sent to this address' },
})
