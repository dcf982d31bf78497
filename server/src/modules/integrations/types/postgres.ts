import { Worker } from 'node:worker_threads'
import { Type } from 'typebox'
import { outbound } from '../../../platform/outbound/outbound.ts'
import { defineType, SecretField, type Verdict } from '../type.ts'
import { failing, fine, timeoutOf, verdictOfFailure } from '../verdict.ts'

const tls = ['verify', 'require', 'off'] as const

/** By SQLSTATE and the codes of the driver. */
const reasons: { readonly [code: string]: string | undefined } = {
  '28P01': 'The server does not accept the user name or the password.',
  '28000': 'The server does not let this user in.',
  '3D000': 'There is no such database.',
  '42501': 'The user may not connect to this database.',
  '53300': 'The server has too many connections open.',
  CONNECT_TIMEOUT: 'The server did not answer in time.',
  PROTOCOL_VIOLATION: 'What answers there is no PostgreSQL.',
  ECONNREFUSED: 'The server could not be reached.',
}

const verdictOfCode = (code: string): Verdict =>
  code === ''
    ? fine
    : failing(reasons[code] ?? `There is no connection to the server${/^[A-Z0-9_]{5,40}$/.test(code) ? ` (${code})` : ''}.`)

/** The code of what went wrong, empty when nothing did. A server that keeps the thread busy or brings it down has an end all the same. */
const tryOut = async (options: object, timeout_ms: number): Promise<string> => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const limits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16 }
  const thread = new Worker(new URL('./postgres-worker.ts', import.meta.url), {
    workerData: options,
    resourceLimits: limits,
    stdout: true,
    stderr: true,
  })
  const timer = setTimeout(() => resolve('CONNECT_TIMEOUT'), timeout_ms + 1_000)
  thread.once('message', resolve)
  thread.once('error', () => resolve('PROTOCOL_VIOLATION'))
  thread.once('exit', () => resolve('PROTOCOL_VIOLATION'))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    await thread.terminate()
  }
}

export const postgres = defineType({
  type: 'postgres',
  title: 'PostgreSQL',
  doc: 'A database that is read or written. Give it a user of its own, which may do no more than it has to.',
  config: Type.Object({
    host: Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9.:_-]+$' }),
    port: Type.Integer({ minimum: 1, maximum: 65_535, default: 5432 }),
    database: Type.String({ minLength: 1, maxLength: 63 }),
    username: Type.String({ minLength: 1, maxLength: 63 }),
    tls: Type.Unsafe<(typeof tls)[number]>({
      type: 'string',
      enum: [...tls],
      default: 'verify',
      description: '`require` encrypts without asking whose certificate it is, `off` is for a server in your own network.',
    }),
  }),
  credentials: Type.Object({ password: Type.Optional(SecretField('Of the user.')) }),
  hosts: () => [],
  elsewhere: ({ host, port, tls: mode }) => [`${host}:${port}:${mode}`],
  test: async ({ app }, config, { password }) => {
    const { host, port, database, username } = config
    try {
      const address = await app.use(outbound).address(host, port)
      const timeout_ms = timeoutOf(app)
      const options = {
        ...{ host: address, port, database, username, password: password ?? '', max: 1, connect_timeout: timeout_ms / 1000 },
        ssl: config.tls === 'off' ? false : { servername: host, rejectUnauthorized: config.tls === 'verify' },
        ...{ fetch_types: false, prepare: false, connection: { application_name: 'millrace', statement_timeout: timeout_ms } },
      }
      return verdictOfCode(await tryOut(options, timeout_ms))
    } catch (error) {
      return verdictOfFailure(error)
    }
  },
})
