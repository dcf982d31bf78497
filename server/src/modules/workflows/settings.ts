import { defineSettings } from '../../platform/config.ts'

export const settings = defineSettings({
  hook_wait_ms: {
    env: 'MILLRACE_HOOK_WAIT_MS',
    type: 'integer',
    default: 30_000,
    min: 100,
    max: 600_000,
    doc: 'How long a webhook call waits for its workflow, in milliseconds. After that it is answered 202 and the execution goes on.',
  },
  installation_workspace: {
    env: 'MILLRACE_INSTALLATION_WORKSPACE',
    type: 'text',
    default: null,
    doc: 'The id of the workspace whose workflows hear what happens in the installation, as `users.registered` and all that belongs to no workspace: its members learn who registers. By default nobody’s do.',
  },
  kept_requests: {
    env: 'MILLRACE_KEPT_REQUESTS',
    type: 'integer',
    default: 1_000,
    min: 1,
    max: 1_000_000,
    doc: 'How many calls of its webhooks are kept for one workflow, where they ask for it (`keep_requests`); the newest.',
  },
  kept_request_bytes: {
    env: 'MILLRACE_KEPT_REQUEST_BYTES',
    type: 'integer',
    default: 16_777_216,
    min: 65_536,
    max: 1_073_741_824,
    doc: 'How much these calls may take for one workflow. Of one body 64 KiB are kept.',
  },
  kept_request_days: { env: 'MILLRACE_KEPT_REQUEST_DAYS', type: 'integer', default: 7, min: 1, max: 366, doc: 'How long they are kept.' },
  form_submissions_per_minute: {
    env: 'MILLRACE_FORM_SUBMISSIONS_PER_MINUTE',
    type: 'integer',
    default: 30,
    min: 1,
    max: 100_000,
    doc: 'How often one form is taken from one address in a minute, whether it could be read or not; then it is answered 429. Of IPv6 the first 64 bits count as one address.',
  },
})
