import { defineSettings } from '../../platform/config.ts'

export const settings = defineSettings({
  user_registered_secret: {
    env: 'MILLRACE_USER_REGISTERED_SECRET',
    type: 'text',
    default: null,
    secret: true,
    doc: 'What `POST /api/v1/webhooks/user-registered` is signed with, as Standard Webhooks says: `whsec_…`. Without it nothing listens there.',
  },
  user_registered_workspace: {
    env: 'MILLRACE_USER_REGISTERED_WORKSPACE',
    type: 'text',
    default: null,
    doc: 'The id of the workspace that is told of them, whose workflows can begin with it. By default the event belongs to the installation.',
  },
  integration_timeout_ms: {
    env: 'MILLRACE_INTEGRATION_TIMEOUT_MS',
    type: 'integer',
    default: 10_000,
    min: 100,
    max: 60_000,
    doc: 'How long a service may take to answer when an integration is tested, or gets a new access token, in milliseconds.',
  },
})
