import { setTimeout as pause } from 'node:timers/promises'
import nodemailer from 'nodemailer'
import { Type } from 'typebox'
import { outbound } from '../../../platform/outbound/outbound.ts'
import { defineType, SecretField, type Verdict } from '../type.ts'
import { failing, fine, timeoutOf, verdictOfFailure } from '../verdict.ts'

const tls = ['from_start', 'required', 'off'] as const

/** By nodemailer's codes. What the server wrote is not repeated. */
const verdictOfSmtp = (error: unknown): Verdict => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'EAUTH' || code === 'ENOAUTH') return failing('The server does not accept the user name or the password.')
  if (code === 'ETIMEDOUT') return failing('The server did not answer in time.')
  if (code === 'ETLS') return failing('There is no TLS with this server.')
  if (code === 'ECONNECTION' || code === 'ESOCKET' || code === 'ECONNREFUSED') return failing('The server could not be reached.')
  return failing(`The server and this one do not understand each other${/^E[A-Z]+$/.test(code) ? ` (${code})` : ''}.`)
}

/** A server that says a word now and then would hold each time-out of its own off. */
const late = (ms: number): Promise<Verdict> => pause(ms, failing('The server did not answer in time.'), { ref: false })

export const smtp = defineType({
  type: 'smtp',
  title: 'SMTP',
  doc: 'A server that takes mails from you. The test signs in and sends nothing.',
  config: Type.Object({
    host: Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9.:_-]+$' }),
    port: Type.Integer({ minimum: 1, maximum: 65_535, default: 587 }),
    tls: Type.Unsafe<(typeof tls)[number]>({
      type: 'string',
      enum: [...tls],
      default: 'required',
      description: '`from_start` (port 465), `required` (STARTTLS), or `off` for a server in your own network.',
    }),
    username: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
  }),
  credentials: Type.Object({ password: Type.Optional(SecretField('Of the user name.')) }),
  problems: ({ username }, { password }) =>
    (username === undefined) === (password === undefined) ? [] : [{ path: 'config.username', message: 'and `password` go together' }],
  hosts: () => [],
  elsewhere: ({ host, port, tls: mode }) => [`${host}:${port}:${mode === 'off' ? 'clear' : 'tls'}`],
  test: async ({ app }, config, { password }) => {
    try {
      const address = await app.use(outbound).address(config.host, config.port)
      const timeout_ms = timeoutOf(app)
      const time = { connectionTimeout: timeout_ms, greetingTimeout: timeout_ms, socketTimeout: timeout_ms }
      const transport = nodemailer.createTransport({
        ...{ host: address, port: config.port, secure: config.tls === 'from_start', ...time },
        ...{ requireTLS: config.tls === 'required', ignoreTLS: config.tls === 'off', allowInternalNetworkInterfaces: true },
        tls: { servername: config.host },
        ...(config.username === undefined ? {} : { auth: { user: config.username, pass: password ?? '' }, forceAuth: true }),
      })
      try {
        return await Promise.race([transport.verify().then(() => fine), late(3 * timeout_ms)])
      } catch (error) {
        return verdictOfSmtp(error)
      } finally {
        transport.close()
      }
    } catch (error) {
      return verdictOfFailure(error)
    }
  },
})
