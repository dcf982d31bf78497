import { Agent, type Dispatcher } from 'undici'
import { defineService } from '../service.ts'
import { parseAllowList } from './allow.ts'
import { acceptedCodings, decode, readAll } from './body.ts'
import { checkedAddress, guardedPool, systemResolve, type Resolve } from './connect.ts'
import { errors, fromTransport } from './errors.ts'
import { follow, parseUrl, type Hop } from './redirect.ts'
import { settings } from './settings.ts'

export interface OutboundRequest {
  readonly method: string
  readonly url: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string | Buffer | null
  /** For everything together: names, connections, redirects, the last byte of the answer. 30 s when not given. */
  readonly timeout_ms?: number
  /** Of the answer's body, before and after decompression. 4 MiB when not given. */
  readonly max_bytes?: number
  /** 5 when not given; with 0 a redirect is the answer. */
  readonly max_redirects?: number
  readonly signal?: AbortSignal
}

export interface OutboundResponse {
  readonly status: number
  /** Names in lower case; a repeated header is joined with commas, except `set-cookie`, which is a list. */
  readonly headers: { readonly [name: string]: string | readonly string[] }
  /** Decompressed. */
  readonly body: Buffer
  /** The URL that answered, after redirects. */
  readonly url: string
  readonly duration_ms: number
}

/** HTTP to addresses that somebody else chose. */
export interface Outbound {
  /**
   * Sends a request to a public address, or one that `MILLRACE_OUTBOUND_ALLOW` names. Any status is an answer. Throws a
   * `Problem` with a code `outbound.…`; of these `connect_failed`, `connection_lost`, `timeout` and `busy` may pass by
   * themselves.
   */
  readonly request: (request: OutboundRequest) => Promise<OutboundResponse>
  /**
   * Where to connect for a protocol other than HTTP: an address of `host` that may be called. Whoever connects has to connect to that
   * address and not to the name, which may lead elsewhere a moment later. Throws like `request`.
   */
  readonly address: (host: string, port: number) => Promise<string>
  /** Gives up what is under way and closes every connection. */
  readonly close: () => Promise<void>
}

/** Set by the client itself or meaningful to one connection only (RFC 9110, section 7.6.1); `host` would contradict the URL. */
const ownHeaders = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

const firstHop = (request: OutboundRequest): Hop => {
  const method = request.method.toUpperCase()
  if (!token.test(method) || method === 'CONNECT' || method === 'TRACE') throw errors.bad_request({ detail: 'The method cannot be used.' })
  const headers: Record<string, string> = { 'user-agent': 'Millrace', 'accept-encoding': acceptedCodings }
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    const key = name.toLowerCase()
    if (!token.test(name) || ownHeaders.has(key)) throw errors.bad_request({ detail: `The header ${JSON.stringify(name)} cannot be set.` })
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw errors.bad_request({ detail: `The value of the header ${name} has characters that a header cannot carry.` })
    }
    headers[key] = value
  }
  return { url: parseUrl(request.url), method, headers, body: request.body ?? null }
}

/** Rejects as soon as the signal says so: the client itself notices only once it is connected. */
const orAborted = async <T>(work: Promise<T>, signal: AbortSignal): Promise<T> => {
  const { promise, reject } = Promise.withResolvers<never>()
  const giveUp = (): void => reject(signal.reason as Error)
  if (signal.aborted) giveUp()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', giveUp)
    // When the signal came first, the fate of the work is of no interest any more; without this its rejection would be unhandled.
    work.catch(() => undefined)
  }
}

const responseHeaders = (headers: Dispatcher.ResponseData['headers'], decoded: boolean): OutboundResponse['headers'] =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]): [string, string | string[]][] => {
      if (value === undefined || (decoded && (name === 'content-encoding' || name === 'content-length'))) return []
      if (name === 'set-cookie') return [[name, [value].flat()]]
      return [[name, typeof value === 'string' ? value : value.join(', ')]]
    }),
  )

interface Limits {
  readonly max_bytes: number
  readonly timeout_ms: number
  readonly signal: AbortSignal
}

const send = (agent: Agent, hop: Hop, limits: Limits): Promise<Dispatcher.ResponseData> =>
  orAborted(
    agent.request({
      origin: hop.url.origin,
      path: hop.url.pathname + hop.url.search,
      method: hop.method,
      headers: { ...hop.headers },
      body: hop.body,
      signal: limits.signal,
      headersTimeout: limits.timeout_ms,
      bodyTimeout: limits.timeout_ms,
    }),
    limits.signal,
  )

const readBody = async (response: Dispatcher.ResponseData, hop: Hop, max_bytes: number) => {
  const announced = Number(response.headers['content-length'] ?? 0)
  if (announced > max_bytes && hop.method !== 'HEAD') {
    response.body.on('error', () => undefined).destroy()
    throw errors.too_large({ detail: `The answer has ${announced} bytes; ${max_bytes} are allowed.` })
  }
  const raw = await readAll(response.body, max_bytes)
  const encoding = String(response.headers['content-encoding'] ?? '')
  const decoded = encoding !== '' && raw.length > 0
  return { body: decoded ? await decode(raw, encoding, max_bytes) : raw, headers: responseHeaders(response.headers, decoded) }
}

const run = async (agent: Agent, request: OutboundRequest, limits: Limits): Promise<Omit<OutboundResponse, 'duration_ms'>> => {
  const max_redirects = request.max_redirects ?? 5
  let hop = firstHop(request)
  for (let redirects = 0; ; redirects++) {
    try {
      const response = await send(agent, hop, limits)
      const location = response.headers['location']
      const next = max_redirects === 0 ? null : follow(hop, response.statusCode, typeof location === 'string' ? location : location?.[0])
      if (next === null) {
        const { body, headers } = await readBody(response, hop, limits.max_bytes)
        return { status: response.statusCode, headers, body, url: hop.url.href }
      }
      await response.body.dump({ limit: 16_384, signal: limits.signal })
      if (redirects >= max_redirects) throw errors.too_many_redirects({ detail: `More than ${max_redirects} redirects.` })
      hop = next
    } catch (error) {
      throw fromTransport(limits.signal.aborted ? limits.signal.reason : error, hop.url)
    }
  }
}

/** The guarded client. At most 32 connections to one origin, at most 1,024 origins with a connection at a time. */
export const createOutbound = (options: { readonly allow: readonly string[]; readonly resolve?: Resolve }): Outbound => {
  const allow = parseAllowList(options.allow)
  const resolve = options.resolve ?? systemResolve
  const agent = new Agent({
    factory: (origin, poolOptions) => guardedPool(new URL(origin), poolOptions, allow, resolve),
    connections: 32,
    pipelining: 1,
    maxOrigins: 1024,
    maxHeaderSize: 32_768,
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 60_000,
  })
  return {
    request: async (request) => {
      const started = performance.now()
      const timeout_ms = request.timeout_ms ?? 30_000
      const controller = new AbortController()
      const timer = setTimeout(
        () => controller.abort(errors.timeout({ detail: `No complete answer within ${timeout_ms} ms.` })),
        timeout_ms,
      )
      const abort = (): void => controller.abort(errors.aborted({ cause: request.signal?.reason }))
      if (request.signal?.aborted === true) abort()
      request.signal?.addEventListener('abort', abort, { once: true })
      try {
        const limits = { max_bytes: request.max_bytes ?? 4 * 1024 * 1024, timeout_ms, signal: controller.signal }
        const answer = await run(agent, request, limits)
        return { ...answer, duration_ms: Math.round(performance.now() - started) }
      } finally {
        clearTimeout(timer)
        request.signal?.removeEventListener('abort', abort)
      }
    },
    address: async (host, port) => {
      try {
        return await checkedAddress(allow, host, port, resolve)
      } catch (error) {
        throw fromTransport(error, new URL(`http://${host.includes(':') ? '[::]' : host}:${port}`))
      }
    },
    close: () => agent.destroy(),
  }
}

export const outbound = defineService<Outbound>({
  name: 'outbound',
  create: (app) => createOutbound({ allow: app.settings(settings).outbound_allow }),
  stop: (instance) => instance.close(),
})
