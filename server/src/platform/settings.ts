import { defineSettings } from './config.ts'

export const settings = defineSettings({
  data_dir: {
    env: 'MILLRACE_DATA_DIR',
    type: 'text',
    default: './data',
    doc: 'Directory that this server owns: the embedded database, the generated secret key. Made at the first start.',
  },
  database_url: {
    env: 'DATABASE_URL',
    type: 'url',
    protocols: ['postgres', 'postgresql'],
    default: null,
    secret: true,
    doc: 'PostgreSQL to use instead of the embedded one: `postgres://user:password@host:5432/database`.',
  },
  log_level: {
    env: 'LOG_LEVEL',
    type: 'choice',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
    doc: 'Least severity that is logged.',
  },
  secret_key: {
    env: 'MILLRACE_SECRET_KEY',
    type: 'base64',
    bytes: 32,
    default: null,
    secret: true,
    doc: 'Key under which signing keys and stored credentials are encrypted: 32 random bytes in base64. When absent, one is generated into `secret.key` in the data directory. All servers of one database need the same.',
  },
  secret_key_previous: {
    env: 'MILLRACE_SECRET_KEY_PREVIOUS',
    type: 'base64',
    bytes: 32,
    default: null,
    secret: true,
    doc: 'The key in use until now, when `MILLRACE_SECRET_KEY` is a new one: the next start moves the database over to the new key.',
  },
  metrics_token: {
    env: 'MILLRACE_METRICS_TOKEN',
    type: 'text',
    default: null,
    secret: true,
    doc: 'Bearer token for `GET /metrics` (Prometheus). Without one there is no such page.',
  },
})
