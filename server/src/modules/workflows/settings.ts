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
  form_submissions_per_minute: {
    env: 'MILLRACE_FORM_SUBMISSIONS_PER_MINUTE',
    type: 'integer',
    default: 30,
    min: 1,
    max: 100_000,
    doc: 'How often one form is taken from one address in a minute, whether it could be read or not; then it is answered 429. Of IPv6 the first 64 bits count as one address.',
  },
})
