import { defineSettings } from '../../platform/config.ts'

export const settings = defineSettings({
  integration_timeout_ms: {
    env: 'MILLRACE_INTEGRATION_TIMEOUT_MS',
    type: 'integer',
    default: 10_000,
    min: 100,
    max: 60_000,
    doc: 'How long a service may take to answer when an integration is tested, or gets a new access token, in milliseconds.',
  },
})
