import connect from 'postgres'
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
  ECONNREFUSED: 'The server could not be reached.',
}

const verdictOfDriver = (error: unknown): Verdict => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return failing(reasons[code] ?? `There is no connection to the server${/^[A-Z0-9_]{5,40}$/.test(code) ? ` (${code})` : ''}.`)
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
      const sql = connect({
        ...{ host: address, port, database, username, password: password ?? '', max: 1, connect_timeout: timeoutOf(app) / 1000 },
        ssl: config.tls === 'off' ? false : { servername: host, rejectUnauthorized: config.tls === 'verify' },
        ...{
          onnotice: () => undefined,
          fetch_types: false,
          prepare: false,
          connection: { application_name: 'millrace', statement_timeout: timeoutOf(app) },
        },
      })
      try {
        await sql`select 1`
        return fine
      } catch (error) {
        return verdictOfDriver(error)
      } finally {
        await sql.end({ timeout: 1 })
      }
    } catch (error) {
      return verdictOfFailure(error)
    }
  },
})
