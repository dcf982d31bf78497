import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { closeServer, listen } from './provider.testing.ts'

export interface Key {
  readonly kid: string
  readonly alg: string
  readonly private: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
  readonly jwk: JWK
}

export const makeKey = async (kid: string, alg = 'RS256'): Promise<Key> => {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, private: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

/** What one visit has: what the authorisation was asked with, and what is to be said of who came. */
export interface Visit {
  readonly nonce: string
  readonly code: string
  readonly query: URLSearchParams
}

/** An issuer that says whatever a test wants it to, at wire level. */
export interface TestIssuer {
  readonly issuer: string
  /** What it signs with and publishes. */
  keys: Key[]
  /** The ID token of a visit; by default a good one for `person`. */
  idToken: (visit: Visit) => Promise<string> | string
  person: JWTPayload
  /** What the browser is sent back with besides `state`; by default a code. */
  answer: (visit: Visit) => { readonly [name: string]: string }
  /** Stands before every path; true when it has answered, or never will. */
  weather: (path: string, response: ServerResponse) => boolean
  metadata: object
  /** The paths that were asked for, and the forms that came to the token endpoint. */
  readonly asked: string[]
  readonly forms: URLSearchParams[]
  readonly sign: (claims: JWTPayload, more?: { readonly key?: Key; readonly header?: object }) => Promise<string>
  /** The claims of a good ID token of this visit. */
  readonly claims: (visit: Visit) => JWTPayload
  readonly close: () => Promise<void>
}

export const fine = (): boolean => false

/** `client_id` is whom its ID tokens are for. */
export const testIssuer = async (client_id: string): Promise<TestIssuer> => {
  const visits = new Map<string, Visit>()
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', it.issuer)
    it.asked.push(url.pathname)
    if (it.weather(url.pathname, response)) return
    const json = (body: unknown): void => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (url.pathname === '/.well-known/openid-configuration') return json(metadataOf(it))
    if (url.pathname === '/jwks') return json({ keys: it.keys.map(({ jwk }) => jwk) })
    if (url.pathname === '/authorize') {
      const visit: Visit = { nonce: url.searchParams.get('nonce') ?? '', code: randomUUID(), query: url.searchParams }
      visits.set(visit.code, visit)
      const back = new URL(url.searchParams.get('redirect_uri') ?? '')
      back.searchParams.set('state', url.searchParams.get('state') ?? '')
      for (const [name, value] of Object.entries(it.answer(visit))) back.searchParams.set(name, value)
      return void response.writeHead(302, { location: back.href }).end()
    }
    if (url.pathname === '/token') {
      const form = new URLSearchParams(Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString())
      it.forms.push(form)
      const visit = visits.get(form.get('code') ?? '')
      if (visit === undefined) return void response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}')
      visits.delete(visit.code)
      return json({ access_token: 'opaque', token_type: 'Bearer', expires_in: 60, id_token: await it.idToken(visit) })
    }
    response.writeHead(404).end()
  }
  const server = createServer((request, response) => void handle(request, response))
  const issuer = await listen(server)
  const it: TestIssuer = {
    issuer,
    keys: [await makeKey('first')],
    person: { sub: 'somebody' },
    idToken: (visit) => it.sign(it.claims(visit)),
    answer: ({ code }) => ({ code }),
    weather: fine,
    metadata: {},
    asked: [],
    forms: [],
    claims: ({ nonce }) => ({ iss: issuer, aud: client_id, iat: now(), exp: now() + 60, nonce, ...it.person }),
    sign: (claims, { key = it.keys[0] as Key, header = {} } = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.private),
    close: () => closeServer(server),
  }
  return it
}

const now = (): number => Math.floor(Date.now() / 1000)

const metadataOf = ({ issuer, metadata }: TestIssuer): object => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256', 'none', 'HS256'],
  ...metadata,
})
