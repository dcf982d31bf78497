import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { vi } from 'vitest'
import { secrets } from '../../../platform/secrets.ts'
import type { TestApp, TestReply, TestUser } from '../../../test-app.ts'

export interface ReadMail {
  readonly kind: string
  readonly recipient: string
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** What is in the post for an address, or for everybody, the oldest first. */
export const mailsTo = async (mill: TestApp, email: string | null = null): Promise<readonly ReadMail[]> => {
  const rows = await mill.database.owner<{ id: string; kind: string; recipient: string; subject: string; body: string }[]>`
    select id, kind, recipient, subject, body
    from mails
    where ${email}::text is null or recipient = ${email}
    order by id`
  return Promise.all(
    rows.map(async ({ id, body, ...rest }) => ({ ...rest, ...JSON.parse(await mill.app.use(secrets).open(`mails/${id}`, body)) })),
  )
}

/** The newest of at least `count` mails of a kind to an address. They are written after the reply, so it is waited for. */
export const mailOf = (mill: TestApp, email: string, kind: string, count = 1): Promise<ReadMail> =>
  vi.waitFor(
    async () => {
      const mails = (await mailsTo(mill, email)).filter((mail) => mail.kind === `identity.${kind}`)
      if (mails.length < count) throw new Error(`There are ${mails.length} mails of ${kind} to ${email}, not ${count}.`)
      return mails.at(-1) as ReadMail
    },
    { timeout: 10_000, interval: 20 },
  )

/** The address in a mail's text, and the token in it. */
export const linkIn = ({ text }: ReadMail): { readonly url: string; readonly token: string } => {
  const url = /https?:\/\/\S+#token=\S+/.exec(text)?.[0]
  if (url === undefined) throw new Error(`There is no link in: ${text}`)
  return { url, token: new URLSearchParams(new URL(url).hash.slice(1)).get('token') as string }
}

export type Post = (path: string, body?: unknown, headers?: { readonly [name: string]: string }) => Promise<TestReply>

/** Posts below `/api/v1/auth/`, each time from an address that nobody used before, so that no limit is met by accident. */
export const poster = (mill: Pick<TestApp, 'call'>): Post => {
  let addresses = 0
  return (path, body, headers = {}) => {
    addresses += 1
    const elsewhere = { 'x-forwarded-for': `198.19.${addresses >> 8}.${addresses & 255}` }
    return mill.call('POST', `/api/v1/auth/${path}`, { ...(body === undefined ? {} : { body }), headers: { ...elsewhere, ...headers } })
  }
}

/** The token of the newest of at least `count` links of a kind. */
export const tokenOf = async (mill: TestApp, email: string, kind: string, count = 1): Promise<string> =>
  linkIn(await mailOf(mill, email, kind, count)).token

/** A new account whose address was confirmed with the link that came by mail. */
export const confirmed = async (mill: TestApp, name: string): Promise<TestUser> => {
  const user = await mill.register(name)
  const token = await tokenOf(mill, user.email, 'email_verification')
  const { status } = await user.call('POST', '/api/v1/auth/email/verify', { body: { token } })
  if (status !== 200) throw new Error(`The address of ${name} was not confirmed: ${status}`)
  return user
}

/** A port that nobody listened on a moment ago: for a test that must name it before the server has one. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
