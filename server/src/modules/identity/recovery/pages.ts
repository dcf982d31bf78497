import { type FormField, formPage } from '../../../platform/http/form-page.ts'
import { newPasswordField } from '../passwords/new-password-field.ts'

const currentPasswordField: FormField = {
  name: 'password',
  label: 'Password of the account',
  type: 'password',
  autocomplete: 'current-password',
}

export const resetPage = formPage({
  path: '/auth/reset',
  summary: 'The form behind the link to set a new password',
  title: 'Choose a new password',
  text: 'You are signed out everywhere when you set it, and sign in with it afterwards.',
  forms: [
    {
      fields: [newPasswordField('password')],
      button: 'Set the password',
      action: '/api/v1/auth/password/reset',
      done: 'The new password is set. You can close this page and sign in with it.',
    },
  ],
})

export const verifyEmailPage = formPage({
  path: '/auth/verify-email',
  summary: 'The form behind the link that confirms the address of a new account',
  title: 'Confirm your e-mail address',
  text: 'The link shows that you read the mail of this address; the password shows that the account is yours.',
  forms: [
    {
      fields: [currentPasswordField],
      button: 'Confirm the address',
      action: '/api/v1/auth/email/verify',
      done: '{email} is confirmed. You can close this page.',
    },
    {
      title: 'You made no account?',
      text: 'Then somebody else typed your address. Say so, and nobody can use that account any more.',
      fields: [],
      button: 'This was not me',
      action: '/api/v1/auth/email/disown',
      done: 'Nobody can use the account any more. Should you want one with this address, ask for a new password.',
    },
  ],
})

export const changeEmailPage = formPage({
  path: '/auth/change-email',
  summary: 'The form behind the link that gives an account another address',
  title: 'Confirm your new e-mail address',
  text: 'If you did not ask for this, close this page: nothing changes.',
  forms: [
    {
      fields: [currentPasswordField],
      button: 'Use this address',
      action: '/api/v1/auth/email/verify',
      done: '{email} is the address of your account now. You can close this page.',
    },
  ],
})

export const magicLinkPage = formPage({
  path: '/auth/magic',
  summary: 'The button behind the link to sign in with',
  title: 'Sign in',
  text: 'The link works once, in the browser in which you press the button.',
  forms: [
    {
      fields: [{ name: 'remember_me', label: 'Stay signed in for 30 days', type: 'checkbox' }],
      button: 'Sign in',
      action: '/api/v1/auth/magic-link/verify',
      constants: { use_cookie: true },
      done: 'You are signed in as {email}.',
    },
    {
      title: 'Second factor',
      fields: [
        {
          name: 'code',
          label: 'Code of your authenticator app',
          type: 'text',
          autocomplete: 'one-time-code',
          max_length: 16,
          optional: true,
        },
        { name: 'recovery_code', label: 'Or a recovery code', type: 'text', autocomplete: 'off', max_length: 64, optional: true },
      ],
      button: 'Go on',
      action: '/api/v1/auth/mfa/verify',
      constants: { use_cookie: true },
      done: 'You are signed in as {email}.',
      after: { code: 'auth.mfa_required', take: 'challenge' },
    },
  ],
})
