import { formPage } from '../../../platform/http/form-page.ts'
import { newPasswordField } from '../passwords/new-password-field.ts'

export const invitationPage = formPage({
  path: '/invitation',
  summary: 'The forms behind the link of an invitation',
  title: 'Join a workspace',
  text: 'The mail says who invites you, and to what. The link is for the address that it was sent to.',
  forms: [
    {
      title: 'You are new here',
      fields: [
        { name: 'name', label: 'Name', type: 'text', autocomplete: 'name', max_length: 200, optional: true },
        newPasswordField('password'),
      ],
      button: 'Make an account and join',
      action: '/api/v1/invitations/register',
      constants: { use_cookie: true },
      done: '{email} has an account now and belongs to the workspace.',
    },
    {
      title: 'You have an account',
      fields: [
        { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' },
        {
          name: 'code',
          label: 'Code of your second factor',
          type: 'text',
          autocomplete: 'one-time-code',
          max_length: 64,
          optional: true,
          hint: 'If you have set one up. Who signs in without a password does so as ever, and answers from the list of invitations.',
        },
      ],
      button: 'Sign in and join',
      action: '/api/v1/invitations/sign-in',
      constants: { use_cookie: true },
      done: '{email} belongs to the workspace now.',
    },
    {
      title: 'You do not want to join',
      fields: [],
      button: 'Decline',
      action: '/api/v1/invitations/decline',
      done: 'The invitation is declined.',
    },
  ],
})
