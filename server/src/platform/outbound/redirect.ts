import { errors } from './errors.ts'

/** One request of a chain of redirects. Header names are lower case. */
export interface Hop {
  readonly url: URL
  readonly method: string
  readonly headers: { readonly [name: string]: string }
  readonly body: string | Buffer | null
}

const redirects = new Set([301, 302, 303, 307, 308])

/** What another origin may see of a request. Everything else may be a credential: keys travel under many names. */
const harmless = new Set(['accept', 'accept-encoding', 'accept-language', 'content-type', 'idempotency-key', 'user-agent'])

const bodyHeaders = new Set(['content-encoding', 'content-language', 'content-location', 'content-type', 'idempotency-key'])

/** A URL that may be called: http or https, without credentials. Relative to `base` where a redirect may be. */
export const parseUrl = (text: string, base?: URL): URL => {
  const url = URL.parse(text, base?.href)
  if (url === null) throw errors.bad_url({ detail: 'The URL cannot be parsed.' })
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw errors.bad_url({ detail: `The scheme is ${url.protocol.slice(0, -1)}, not http or https.` })
  }
  if (url.username !== '' || url.password !== '') throw errors.bad_url({ detail: 'The URL holds a user name or a password.' })
  url.hash = ''
  return url
}

const pick = (headers: Hop['headers'], keep: (name: string) => boolean): Hop['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => keep(name)))

/**
 * The request that follows a redirect, or null when the answer is none. Methods change as in the Fetch standard (HTTP-redirect
 * fetch, step 12): POST becomes GET on 301 and 302, all but HEAD on 303. Another origin gets no header that may be a secret.
 */
export const follow = (hop: Hop, status: number, location: string | undefined): Hop | null => {
  if (!redirects.has(status) || location === undefined) return null
  const url = parseUrl(location, hop.url)
  const becomesGet =
    ((status === 301 || status === 302) && hop.method === 'POST') || (status === 303 && hop.method !== 'GET' && hop.method !== 'HEAD')
  const sameOrigin = url.origin === hop.url.origin
  const headers = pick(hop.headers, (name) => (sameOrigin || harmless.has(name)) && !(becomesGet && bodyHeaders.has(name)))
  return becomesGet ? { url, method: 'GET', headers, body: null } : { ...hop, url, headers }
}
