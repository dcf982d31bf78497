import { formPage } from '../../../platform/http/form-page.ts'
import { newPasswordField } from '../passwords/new-password-field.ts'

export const setupPage = formPage({
  path: '/setup',
  summary: 'The form that makes the first admin',
  title: 'Set up Millrace',
  text: 'Make the account of the first admin. This link works once.',
  forms: [
    {
      fields: [
        { name: 'email', label: 'E-mail', type: 'email', autocomplete: 'username', max_length: 254 },
        { name: 'name', label: 'Name', type: 'text', autocomplete: 'name', max_length: 200, optional: true },
        newPasswordField('password'),
      ],
      button: 'Make the admin',
      action: '/api/v1/auth/setup',
      done: '{email} is the admin of this installation now. Sign in with POST /api/v1/auth/login.',
    },
  ],
})
