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
})
