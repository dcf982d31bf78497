import { writeCookie } from './cookies.ts'
import type { Endpoint, ReplyForm } from './endpoint.ts'
import { httpErrors } from './errors.ts'
import { etagOf, noneMatch } from './etag.ts'
import type { Exchange } from './exchange.ts'
import type { Headers } from './headers.ts'
import { isReplyValue } from './route.ts'

/** A finished reply, before it is sent. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string | null
}

// What an API answers is meant for its caller; a handler whose answer may be kept says so with a header of its own.
const json: Headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }
const empty: Headers = { 'cache-control': 'no-store' }

/** Turns what a handler returned into the reply that goes out: status, headers, and the fields that its schema names. */
export const answerOf = (endpoint: Endpoint, exchange: Exchange, result: unknown): Answer => {
  const { route, house } = endpoint
  const special = isReplyValue(result) ? result : null
  const status = special === null ? endpoint.first_status : special.status
  const value: unknown = special === null ? result : special.body
  const form = endpoint.replies.get(status)
  if (form === undefined) throw new Error(`${endpoint.name} answered ${status}, which it does not declare.`)
  const headers: { [name: string]: string | readonly string[] } = { ...(form.empty ? empty : json), ...special?.headers }
  if (special?.cookies !== undefined) headers['set-cookie'] = special.cookies.map((cookie) => writeCookie(cookie, house.secure))
  if (route.etag === true && status < 300) {
    const etag = etagFor(endpoint, exchange, value)
    headers['etag'] = etag
    if (route.method === 'GET' && !noneMatch(exchange.incoming.headers['if-none-match'], etag)) {
      return { status: 304, headers: { ...empty, etag }, body: null }
    }
  }
  if (form.empty) return { status, headers, body: null }
  const shaped = form.shape(value)
  if (house.settings.check_replies) checkReply(endpoint, form, status, shaped)
  return { status, headers, body: JSON.stringify(shaped) ?? 'null' }
}

const etagFor = (endpoint: Endpoint, exchange: Exchange, value: unknown): string => {
  const revision = (value as { readonly revision?: unknown } | null)?.revision
  if (typeof revision !== 'number') throw new Error(`${endpoint.name} is declared with an ETag, but its reply has no revision.`)
  const etag = etagOf(revision)
  const { if_match } = exchange
  // A write has compared it in its transaction, and answers with the next one.
  if (endpoint.route.method === 'GET' && if_match !== null && if_match !== revision)
    throw httpErrors.precondition_failed({ headers: { etag } })
  return etag
}

const checkReply = (endpoint: Endpoint, form: ReplyForm, status: number, shaped: unknown): void => {
  try {
    form.check(structuredClone(shaped))
  } catch (error) {
    throw new Error(`The ${status} reply of ${endpoint.name} does not fit its schema: ${String(error)}`, { cause: error })
  }
}
