import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../errors.ts'
import type { Actor, Client } from '../context.ts'
import type { Logger } from '../log.ts'
import { discardRest, hasBody } from './body.ts'
import { readCookies } from './cookies.ts'
import { hops_header, readHops } from './hops.ts'
import { httpErrors, internalErrors } from './errors.ts'
import { readIfMatch } from './etag.ts'
import type { Headers } from './headers.ts'
import type { House } from './house.ts'
import { readIdempotencyKey } from './idempotency-key.ts'
import { problemDocument } from './problem.ts'
import type { RawReply, RawRequest, Streamed } from './route.ts'
import { pour } from './pour.ts'
import { shownPath } from './shown-path.ts'
import { readTraceId } from './trace.ts'

/** What is measured and logged of a request, per route. */
export interface Observed {
  /** The path as declared, or a word for what has none. */
  readonly route: string
  readonly observe: (method: string, status: number, seconds: number) => void
  readonly quiet: boolean
}

const anonymous: Actor = { type: 'anonymous' }
const nothing = Buffer.alloc(0)
const max_user_agent = 500

/**
 * One request and its reply. A class, because one is made for every request and almost nothing of it is asked for: what
 * costs (logger, abort signal, cookies) is made by a getter on first use.
 */
export class Exchange implements RawRequest, RawReply {
  readonly request_id: string
  readonly method: string
  readonly incoming: IncomingMessage
  readonly params: { readonly [name: string]: string }
  readonly url: string
  body: Buffer = nothing
  actor: Actor = anonymous
  workspace_id: string | null = null
  /** RateLimit fields, when a policy applies. */
  rate_headers: Headers | null = null
  /** The client waits for `100 Continue` before it sends the body. */
  awaits_continue: boolean
  sent = false
  readonly #house: House
  readonly #observed: Observed
  readonly #request: FastifyRequest
  readonly #response: ServerResponse
  readonly #started: number
  #log: Logger | null = null
  #abort: AbortController | null = null
  #cookies: { readonly [name: string]: string } | null = null

  constructor(house: House, observed: Observed, request: FastifyRequest, reply: FastifyReply) {
    this.#house = house
    this.#observed = observed
    this.#request = request
    this.#response = reply.raw
    this.#started = performance.now()
    this.request_id = request.id
    this.incoming = request.raw
    this.method = request.raw.method as string
    this.params = request.params as { readonly [name: string]: string }
    this.url = request.raw.url as string
    this.awaits_continue = (request.raw as { awaits_continue?: boolean }).awaits_continue === true
    house.load.enter()
  }

  get id(): string {
    return this.request_id
  }

  get headers(): IncomingMessage['headers'] {
    return this.incoming.headers
  }

  get path(): string {
    const { url } = this
    // A proxy may be sent the whole address (RFC 9112, section 3.2.2).
    const start = url.startsWith('/') ? 0 : Math.max(0, url.indexOf('/', url.indexOf('://') + 3))
    const mark = url.indexOf('?')
    return url.slice(start, mark < 0 ? undefined : mark)
  }

  /** For logs and replies: without tokens that stand in it. */
  get shown_path(): string {
    return shownPath(this.path)
  }

  get query(): string {
    const mark = this.url.indexOf('?')
    return mark < 0 ? '' : this.url.slice(mark + 1)
  }

  get ip(): string {
    return this.#request.ip
  }

  /** As much of it as a browser would send: it is kept with sessions, events and the audit, and anybody may fill a header. */
  get user_agent(): string | null {
    return this.incoming.headers['user-agent']?.slice(0, max_user_agent) ?? null
  }

  get client(): Client {
    const hops = readHops(this.incoming.headers[hops_header])
    const client = { address: this.ip, user_agent: this.user_agent }
    return hops === 0 ? client : { ...client, hops }
  }

  get cookies(): { readonly [name: string]: string } {
    this.#cookies ??= readCookies(this.incoming.headers.cookie)
    return this.#cookies
  }

  get if_match(): number | null {
    return readIfMatch(this.incoming.headers['if-match'])
  }

  get idempotency_key(): string | null {
    const header = this.incoming.headers['idempotency-key']
    return header === undefined ? null : readIdempotencyKey(header)
  }

  get trace_id(): string | null {
    return readTraceId(this.incoming.headers['traceparent'] as string | undefined)
  }

  get log(): Logger {
    if (this.#log === null) {
      const { request_id, trace_id } = this
      this.#log = this.#house.app.log.child(trace_id === null ? { request_id } : { request_id, trace_id })
    }
    return this.#log
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      const abort = new AbortController()
      this.#abort = abort
      if (this.#response.destroyed && !this.#response.writableFinished) abort.abort()
      else this.#response.once('close', () => this.#response.writableFinished || abort.abort())
    }
    return this.#abort.signal
  }

  /** Lets a client go on that asked first whether it may send its body. */
  readonly proceed = (): void => {
    if (!this.awaits_continue) return
    this.awaits_continue = false
    this.#response.writeContinue()
  }

  send(status: number, headers: Headers, body: string | Buffer | null): void {
    if (this.sent) return this.log.error({ path: this.shown_path }, 'a second reply to one request was dropped')
    const head = this.#head(status, headers, body === null ? 0 : Buffer.byteLength(body))
    try {
      if (status < 200) throw new RangeError(`${status} cannot end a reply`)
      this.#response.writeHead(status, head)
    } catch (error) {
      // Nothing was sent yet: the reply names a status or a header that HTTP cannot carry.
      if (this.#response.headersSent) throw error
      return this.fail(error)
    }
    this.sent = true
    if (body === null || this.method === 'HEAD' || status === 204 || status === 304) this.#response.end()
    else this.#response.end(body)
    if (!this.incoming.complete && hasBody(this.incoming)) discardRest(this.incoming, this.#response)
    this.#finish(status)
  }

  /** Sends a reply in parts. Rejects when not even the first one could be made, and nothing was sent. */
  async stream({ headers, parts }: Streamed): Promise<void> {
    const source = parts[Symbol.asyncIterator]()
    const first = await source.next()
    if (this.sent) return this.log.error({ path: this.shown_path }, 'a second reply to one request was dropped')
    this.#response.writeHead(200, this.#head(200, { 'cache-control': 'no-store', ...headers }, null))
    this.sent = true
    try {
      await pour(first, source, this.#response)
    } catch (error) {
      this.log.error({ err: error, route: this.#observed.route }, 'a reply could not be sent to its end; the connection was cut')
      this.#response.destroy()
    }
    this.#finish(200)
  }

  fail(error: unknown): void {
    if (this.sent) return this.log.error({ err: error, path: this.shown_path }, 'failed after the reply was sent')
    const problem = error instanceof Problem ? error : this.#unexpected(error)
    const { status } = problem.declaration
    if (status >= 500 && problem.cause !== undefined) {
      this.log.error(
        { err: problem.cause, method: this.method, path: this.shown_path, route: this.#observed.route, code: problem.code },
        'request failed',
      )
    }
    const answer = this.answerOf(problem)
    this.send(answer.status, answer.headers, answer.body)
  }

  /** The reply that tells of a problem. */
  answerOf(problem: Problem): { readonly status: number; readonly headers: Headers; readonly body: string } {
    const document = problemDocument(problem, {
      public_url: this.#house.public_url,
      request_id: this.request_id,
      trace_id: this.trace_id,
      path: this.shown_path,
      method: this.method,
    })
    const headers = { 'content-type': 'application/problem+json; charset=utf-8', 'cache-control': 'no-store', ...problem.details.headers }
    return { status: problem.declaration.status, headers, body: JSON.stringify(document) }
  }

  /**
   * An error that nobody declared. A data exception of PostgreSQL (class 22: a date that there is not, a number out of range)
   * comes from input that a schema should have refused: the caller is told so, and the log tells us.
   */
  #unexpected(error: unknown): Problem {
    const code = (error as { readonly code?: unknown } | null)?.code
    if (typeof code !== 'string' || code.length !== 5 || !code.startsWith('22')) return internalErrors.unexpected({ cause: error })
    this.log.warn(
      { err: error, method: this.method, route: this.#observed.route },
      'the database refused a value that the schema let through',
    )
    return httpErrors.validation_failed({ detail: 'A value is outside of what can be stored.', cause: error })
  }

  /** `length` in bytes, or null where it is not known before the end. */
  #head(status: number, headers: Headers, length: number | null): { [name: string]: string | number | string[] } {
    const house = this.#house
    const head: { [name: string]: string | number | string[] } = { 'x-request-id': this.request_id }
    Object.assign(head, house.security_headers, this.rate_headers)
    if (house.cors !== null) Object.assign(head, house.cors.headers(this.incoming.headers.origin))
    Object.assign(head, headers)
    if (length !== null && status !== 204 && status !== 304) head['content-length'] = length
    if (house.draining || this.awaits_continue) head['connection'] = 'close'
    return head
  }

  #finish(status: number): void {
    const house = this.#house
    house.load.leave()
    const seconds = (performance.now() - this.#started) / 1000
    this.#observed.observe(this.method, status, seconds)
    const level = status >= 500 ? 'warn' : this.#observed.quiet ? 'debug' : 'info'
    const log = house.app.log
    if (!log.isLevelEnabled(level)) return
    const { request_id, method, shown_path: path, trace_id } = this
    log[level](
      {
        request_id,
        ...(trace_id === null ? {} : { trace_id }),
        method,
        path,
        route: this.#observed.route,
        status,
        ...(this.#response.destroyed ? { client: 'gone' } : {}),
        duration_ms: Math.round(seconds * 1e5) / 100,
        ...(this.actor.type === 'user' ? { user_id: this.actor.user_id, workspace_id: this.workspace_id } : {}),
      },
      'request',
    )
  }
}
