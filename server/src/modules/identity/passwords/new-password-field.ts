import type { FormField } from '../../../platform/http/form-page.ts'
import { passwordLength } from './password-policy.ts'

/** For the pages on which somebody chooses a password. */
export const newPasswordField = (name: string): FormField => ({
  name,
  label: 'Password',
  type: 'password',
  autocomplete: 'new-password',
  min_length: passwordLength.min,
  hint: `${passwordLength.min} to ${passwordLength.max} characters. A few words in a row are good; well-known passwords are refused.`,
})
