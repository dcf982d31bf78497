/** How the SMTP server is reached. */
export interface SmtpServer {
  readonly host: string
  readonly port: number
  /** `from_start`: as the first thing on the connection. `required`: by STARTTLS, or nothing is sent. `off`: not even when it is offered. */
  readonly tls: 'from_start' | 'required' | 'off'
  readonly auth: { readonly user: string; readonly pass: string } | null
}

/** What is wrong with the address of an SMTP server, as the end of a sentence that begins with it. Never holds a password. */
export type Mistake = { readonly mistake: string }

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Reads `smtps://user:password@host:port` or `smtp://…`, with `?tls=off` or `?tls=required`. */
export const parseSmtpUrl = (text: string): SmtpServer | Mistake => {
  const url = new URL(text)
  // The URL standard treats these as opaque hosts, and so keeps their case.
  const hostname = url.hostname.toLowerCase()
  if (hostname === '') return { mistake: 'names no host' }
  const { tls = null, ...others } = Object.fromEntries(url.searchParams)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) return { mistake: `has a parameter ${unknown}, which means nothing here` }
  if (tls !== null && tls !== 'off' && tls !== 'required') return { mistake: 'says of tls neither off nor required' }
  const from_start = url.protocol === 'smtps:'
  if (from_start && tls === 'off') return { mistake: 'says smtps and tls=off, which contradict each other' }
  const auth = credentials(url)
  if (auth !== null && 'mistake' in auth) return auth
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (from_start ? 465 : 587) : Number(url.port),
    tls: from_start ? 'from_start' : tls === 'off' || (tls === null && loopback.test(hostname)) ? 'off' : 'required',
    auth,
  }
}

const credentials = (url: URL): SmtpServer['auth'] | Mistake => {
  if (url.username === '') return url.password === '' ? null : { mistake: 'has a password and no user' }
  try {
    return { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
  } catch {
    return { mistake: 'has a user or password that is not percent-encoded: write a % as %25' }
  }
}
