import { defineSettings } from '../../platform/config.ts'
import { externalSettings } from './external/settings.ts'
import { oidcSettings } from './oidc/settings.ts'
import { recoverySettings } from './recovery/settings.ts'

export const settings = defineSettings({
  admin_email: {
    env: 'MILLRACE_ADMIN_EMAIL',
    type: 'text',
    default: null,
    doc: 'Makes an admin with this address at the start, if the address has no account yet. Needs MILLRACE_ADMIN_PASSWORD. An account that exists is never changed.',
  },
  admin_password: {
    env: 'MILLRACE_ADMIN_PASSWORD',
    type: 'text',
    default: null,
    secret: true,
    doc: 'The password of that admin; 12 to 128 characters and not a common one.',
  },
  access_token_s: {
    env: 'MILLRACE_ACCESS_TOKEN_SECONDS',
    type: 'integer',
    default: 3600,
    min: 60,
    max: 86_400,
    doc: 'How long an access token is good for, in seconds. Logging out ends it at once in any case.',
  },
  refresh_grace_s: {
    env: 'MILLRACE_REFRESH_GRACE_SECONDS',
    type: 'integer',
    default: 0,
    min: 0,
    max: 60,
    doc: 'For so long after a refresh the token before it gives the same next one again, as long as that one is unused: for clients with several tabs that refresh at the same moment. 0: using a token twice always ends its session.',
  },
  require_mfa: {
    env: 'MILLRACE_REQUIRE_MFA',
    type: 'choice',
    choices: ['off', 'admins', 'everyone'],
    default: 'off',
    doc: 'Whom a second factor is asked of: nobody, the admins of the installation, or everybody. Who has none yet can sign in and set one up, and do nothing else; their API keys do nothing either.',
  },
  registration: {
    env: 'MILLRACE_REGISTRATION',
    type: 'choice',
    choices: ['open', 'closed'],
    default: 'open',
    doc: 'Whether anyone may make an account. Closed, there are those made before and the first admin.',
  },
  impersonation_mails: {
    env: 'MILLRACE_IMPERSONATION_MAILS',
    type: 'flag',
    default: false,
    doc: 'Whether a mail tells a user when an admin begins to act as them. In the list of their sessions they see it in any case.',
  },
  ...oidcSettings,
  ...externalSettings,
  ...recoverySettings,
})
