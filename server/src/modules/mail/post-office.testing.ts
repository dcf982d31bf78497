import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text as textOf } from 'node:stream/consumers'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

/** A mail as the server has taken it. */
export interface Received {
  readonly from: string
  readonly to: readonly string[]
  /** By lower-case name, unfolded, in the order they came. */
  readonly headers: readonly (readonly [string, string])[]
  readonly header: (name: string) => string | undefined
  /** Decoded parts by content type: `text/plain`, `text/html`. */
  readonly parts: ReadonlyMap<string, string>
  readonly raw: string
  readonly secure: boolean
  readonly user: string | undefined
}

/** What the server answers to; each may be changed while it runs. An error with a `responseCode` refuses. */
export interface Behaviour {
  onRecipient?: (address: string) => Promise<void> | void
  /** Before the server says that it has taken a mail, which is in `taken` by then. */
  onTaken?: (mail: Received) => Promise<void> | void
}

export interface PostOffice {
  readonly port: number
  readonly behaviour: Behaviour
  readonly taken: readonly Received[]
  /** Addresses of `RCPT TO`, whether they were accepted or not. */
  readonly asked: readonly string[]
  readonly close: () => Promise<void>
}

export const refuse = (responseCode: number, message: string): Error => Object.assign(new Error(message), { responseCode })

/** A real SMTP server in this process. Without options it offers neither TLS nor AUTH. */
export const openPostOffice = async (options: SMTPServerOptions & { readonly port?: number } = {}): Promise<PostOffice> => {
  const { port = 0, ...more } = options
  const behaviour: Behaviour = {}
  const taken: Received[] = []
  const asked: string[] = []
  const answer = (work: Promise<void> | void, callback: (error?: Error | null) => void): void => {
    void Promise.resolve(work).then(() => callback(), callback)
  }
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    closeTimeout: 100,
    onRcptTo: ({ address }, _session, callback) => {
      asked.push(address)
      answer(
        attempt(() => behaviour.onRecipient?.(address)),
        callback,
      )
    },
    onData: (stream, { envelope, secure, user }, callback) => {
      const take = async (): Promise<void> => {
        const raw = await textOf(stream)
        const mail = parse(raw, { envelope, secure, user: user as string | undefined })
        taken.push(mail)
        await behaviour.onTaken?.(mail)
      }
      answer(take(), callback)
    },
    ...more,
  })
  // Clients that are cut off are part of what is tested.
  server.on('error', () => undefined)
  server.listen(port, '127.0.0.1')
  await once(server.server, 'listening')
  return {
    port: (server.server.address() as AddressInfo).port,
    behaviour,
    taken,
    asked,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

const attempt = async (work: () => Promise<void> | void): Promise<void> => work()

interface Session {
  readonly envelope: { readonly mailFrom: false | { readonly address: string }; readonly rcptTo: readonly { readonly address: string }[] }
  readonly secure: boolean
  readonly user: string | undefined
}

const parse = (raw: string, { envelope, secure, user }: Session): Received => {
  const [headers, body] = split(raw)
  const boundary = /boundary="?([^";]+)"?/.exec(headerOf(headers, 'content-type') ?? '')?.[1]
  const sections = boundary === undefined ? [raw] : body.split(`--${boundary}`).slice(1, -1)
  const parts = sections.map((section) => {
    const [own, content] = split(section.replace(/^\r\n/, ''))
    const type = (headerOf(own, 'content-type') ?? 'text/plain').split(';')[0] as string
    return [type, decode(content, headerOf(own, 'content-transfer-encoding') ?? '7bit')] as const
  })
  return {
    from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
    to: envelope.rcptTo.map(({ address }) => address),
    headers,
    header: (name) => headerOf(headers, name),
    parts: new Map(parts),
    ...{ raw, secure, user },
  }
}

const headerOf = (headers: Received['headers'], name: string): string | undefined => headers.find(([key]) => key === name)?.[1]

const split = (text: string): readonly [Received['headers'], string] => {
  const end = text.indexOf('\r\n\r\n')
  const lines = text
    .slice(0, end)
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return [headers, text.slice(end + 4)]
}

/** RFC 2045, section 6. */
const decode = (content: string, encoding: string): string => {
  if (encoding === 'base64') return Buffer.from(content, 'base64').toString()
  const text = content.replace(/\r\n$/, '')
  if (encoding !== 'quoted-printable') return text.replaceAll('\r\n', '\n')
  const bytes = text
    .replaceAll(/=\r\n/g, '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString().replaceAll('\r\n', '\n')
}

/** For `localhost`, until 2126. Nobody trusts it but a test that says so. */
export const certificate = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJbKrsTAlmOpyWHVE
M+r7TLoiqgJMYOOFGX7izAw4SHehRANCAASS1Y7tCU8b4XS5c/C7VI2th9DeWMyk
pxiy2TO3GH7O+tsIPchioEysFaWmvgJebAEnQRLGvqs7KGCoptlnl/xp
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUL0SL6ykyBgcoItg982e0mPkjd8MwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMDEzMzAxOVoYDzIxMjYxMDI3
MTMzMDE5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASS1Y7tCU8b4XS5c/C7VI2th9DeWMykpxiy2TO3GH7O+tsIPchioEys
FaWmvgJebAEnQRLGvqs7KGCoptlnl/xpo2kwZzAdBgNVHQ4EFgQUyVsqJWs0VmV0
OsR35LfLT1/Uk4AwHwYDVR0jBBgwFoAUyVsqJWs0VmV0OsR35LfLT1/Uk4AwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
RwAwRAIgauZUTTAyyPDzNF9XKYRyh3pPKT2pX/0/II5puobxEPkCIG7jwFiR3lq1
fFxPM7W5iPbojm1H9+0C4a/c/TsNqMie
-----END CERTIFICATE-----`,
}
