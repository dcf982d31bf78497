import { defineSettings } from '../platform/config.ts'

export const settings = defineSettings({
  capacity: {
    env: 'MILLRACE_ENGINE_CAPACITY',
    type: 'integer',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    doc: 'Executions that one process holds at a time. Further ones are journalled as queued and taken up by whoever has room. One workspace fills nine tenths of it at most.',
  },
  step_timeout_ms: {
    env: 'MILLRACE_ENGINE_STEP_TIMEOUT_MS',
    type: 'integer',
    default: 300_000,
    min: 100,
    max: 86_400_000,
    doc: 'Time limit of a step whose node sets none, in milliseconds.',
  },
  takeover_ms: {
    env: 'MILLRACE_ENGINE_TAKEOVER_MS',
    type: 'integer',
    default: 6_000,
    min: 1_000,
    max: 600_000,
    doc: 'A process whose heartbeat is older than this, in milliseconds, is taken for dead and its executions are taken over.',
  },
  code_threads: {
    env: 'MILLRACE_ENGINE_CODE_THREADS',
    type: 'integer',
    default: 2,
    min: 1,
    max: 64,
    doc: 'Programs of `data.code` that run at a time. A workspace that has none running may start one beyond that, up to twice as many in all.',
  },
})
