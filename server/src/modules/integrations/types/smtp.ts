import { setTimeout as pause } from 'node:timers/promises'
import { Type } from 'typebox'
import { openTransport, tlsModes } from '../mail/transport.ts'
import { parseSender } from '../../mail/mail.ts'
import { defineType, SecretField, type Verdict } from '../type.ts'
import { failing, fine, timeoutOf, verdictOfFailure } from '../verdict.ts'

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
    tls: Type.Unsafe<(typeof tlsModes)[number]>({
      type: 'string',
      enum: [...tlsModes],
      default: 'required',
      description: '`from_start` (port 465), `required` (STARTTLS), or `off` for a server in your own network.',
    }),
    username: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
    from: Type.Optional(
      Type.String({
        minLength: 3,
        maxLength: 320,
        description: 'Whom mails come from when a step does not say: `Acme <orders@example.com>`.',
      }),
    ),
  }),
  credentials: Type.Object({ password: Type.Optional(SecretField('Of the user name.')) }),
  problems: ({ username, from }, { password }) => [
    ...((username === undefined) === (password === undefined) ? [] : [{ path: 'config.username', message: 'and `password` go together' }]),
    ...(from === undefined || parseSender(from) !== null
      ? []
      : [{ path: 'config.from', message: 'must be an address, or a name and an address: Acme <orders@example.com>' }]),
  ],
  hosts: () => [],
  elsewhere: ({ host, port, tls: mode }) => [`${host}:${port}:${mode === 'off' ? 'clear' : 'tls'}`],
  test: async ({ app }, config, { password }) => {
    try {
      const timeout_ms = timeoutOf(app)
      const transport = await openTransport(app, config, password, timeout_ms)
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
