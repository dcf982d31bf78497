import { defineSettings } from '../config.ts'

export const settings = defineSettings({
  counters: {
    env: 'MILLRACE_COUNTERS',
    type: 'choice',
    choices: ['auto', 'memory', 'postgres', 'redis'],
    default: 'auto',
    doc: 'Where requests and attempts are counted that are limited: `memory` counts for each process by itself, `postgres` and `redis` for all of them together. `auto` is `redis` when `REDIS_URL` is set, else `memory`.',
  },
  redis_url: {
    env: 'REDIS_URL',
    type: 'url',
    protocols: ['redis', 'rediss'],
    default: null,
    secret: true,
    doc: 'A Redis or Valkey that all processes share: `redis://user:password@host:6379/0`, or `rediss://` with TLS. Without it one process does everything by itself.',
  },
})
