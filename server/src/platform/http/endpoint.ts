import type { TSchema } from 'typebox'
import type { Ctx } from '../context.ts'
import type { Credentials, Identified } from './authenticate.ts'
import { readBody } from './body.ts'
import { writeCookie } from './cookies.ts'
import { httpErrors } from './errors.ts'
import { etagOf, noneMatch } from './etag.ts'
import type { Exchange, Headers } from './exchange.ts'
import { guard } from './guard.ts'
import type { House } from './house.ts'
import { withIdempotency } from './idempotency.ts'
import { parseJson, requireJson } from './json-body.ts'
import type { Admit } from './permissions.ts'
import type { Limit } from './rate-limit.ts'
import type { OrdinaryRoute, RouteInput } from './route.ts'
import { isReplyValue } from './route.ts'
import type { Shape } from './shape.ts'
import { shapeOf } from './shape.ts'
import type { JsonSchema } from './strict.ts'
import { checkText } from './json-body.ts'
import { coercerOf, parseQuery } from './text-input.ts'
import { Problem } from '../errors.ts'
import type { Validate } from './validate.ts'
import { invalid, validatorOf } from './validate.ts'

/** A finished reply, before it is sent. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string | null
}

/** What is worked out of a route once, when it is mounted. */
export interface Endpoint {
  readonly house: House
  readonly route: OrdinaryRoute
  /** Method and path as declared: names the route in metrics, limits and stored replies. */
  readonly name: string
  readonly admit: Admit
  readonly limit: Limit
  readonly params: TextInput | null
  readonly query: TextInput | null
  readonly body: Validate | null
  readonly replies: ReadonlyMap<number, ReplyForm>
  readonly first_status: number
  readonly body_limit: number
}

interface TextInput {
  readonly coerce: (values: { [name: string]: unknown }) => void
  readonly validate: Validate
}

interface ReplyForm {
  readonly shape: Shape
  readonly empty: boolean
  readonly check: Validate
}

const textInput = (schema: TSchema | undefined): TextInput | null =>
  schema === undefined ? null : { coerce: coercerOf(schema as JsonSchema), validate: validatorOf(schema as JsonSchema) }

export const endpointOf = (house: House, route: OrdinaryRoute, admit: Admit, limit: Limit): Endpoint => {
  const statuses = Object.keys(route.replies).map(Number)
  const [first_status] = statuses
  if (first_status === undefined) throw new Error(`${route.method} ${route.path} declares no reply.`)
  const replies = statuses.map((status): [number, ReplyForm] => {
    const schema = route.replies[status] as JsonSchema
    const empty = status === 204 || status === 205 || status === 304
    return [status, { shape: shapeOf(schema), empty, check: validatorOf(schema) }]
  })
  return {
    house,
    route,
    name: `${route.method} ${route.path}`,
    admit,
    limit,
    params: textInput(route.params),
    query: textInput(route.query),
    body: route.body === undefined ? null : validatorOf(route.body as JsonSchema),
    replies: new Map(replies),
    first_status,
    body_limit: route.body_limit_bytes ?? house.settings.body_limit_bytes,
  }
}

/** One request of an ordinary route, from the guard to the reply. Stays in one turn of the event loop until the handler does not. */
export const handle = (endpoint: Endpoint, exchange: Exchange): void => {
  try {
    guard(endpoint.house, exchange, endpoint.route.never_shed === true)
    const identified = identify(endpoint, exchange)
    if (!(identified instanceof Promise)) return enter(endpoint, exchange, identified)
    identified.then((who) => enter(endpoint, exchange, who)).catch((error: unknown) => exchange.fail(error))
  } catch (error) {
    exchange.fail(error)
  }
}

const nobody: Identified = { actor: { type: 'anonymous' }, workspace_id: null }

const identify = (endpoint: Endpoint, exchange: Exchange): Identified | Promise<Identified> => {
  const { headers } = exchange.incoming
  const { authorization } = headers
  const api_key = headers['x-api-key']
  if (authorization === undefined && api_key === undefined) return nobody
  const workspace_id = headers['x-workspace-id']
  const credentials: Credentials = {
    bearer: authorization === undefined ? null : bearerOf(authorization),
    api_key: typeof api_key === 'string' ? api_key : null,
    workspace_id: typeof workspace_id === 'string' ? workspace_id : null,
    ip: exchange.ip,
    user_agent: exchange.user_agent,
  }
  if (endpoint.route.allow !== 'public') return endpoint.house.authenticate(endpoint.house.app, credentials)
  // A public route is there for everybody: who brings an outdated token to the sign-in is nobody, not an intruder.
  try {
    const identified = endpoint.house.authenticate(endpoint.house.app, credentials)
    return identified instanceof Promise ? identified.catch(orNobody) : identified
  } catch (error) {
    return orNobody(error)
  }
}

const orNobody = (error: unknown): Identified => {
  if (error instanceof Problem && error.declaration.status < 500) return nobody
  throw error
}

const bearerOf = (authorization: string): string | null =>
  authorization.length > 7 && authorization.slice(0, 7).toLowerCase() === 'bearer ' ? authorization.slice(7).trim() : null

const enter = (endpoint: Endpoint, exchange: Exchange, who: Identified): void => {
  exchange.actor = who.actor
  exchange.workspace_id = who.workspace_id
  endpoint.admit(who.actor)
  const limited = endpoint.limit(exchange)
  if (limited === null) return receive(endpoint, exchange)
  limited.then(() => receive(endpoint, exchange)).catch((error: unknown) => exchange.fail(error))
}

const receive = (endpoint: Endpoint, exchange: Exchange): void => {
  const { method } = endpoint.route
  if (method === 'GET' || method === 'DELETE') return work(endpoint, exchange)
  readBody(exchange.incoming, endpoint.body_limit, exchange.proceed, (problem, body) => {
    if (problem !== null) return exchange.fail(problem)
    exchange.body = body
    try {
      work(endpoint, exchange)
    } catch (error) {
      exchange.fail(error)
    }
  })
}

const work = (endpoint: Endpoint, exchange: Exchange): void => {
  const input: RouteInput<never, never, never> = {
    params: readParams(endpoint, exchange) as never,
    query: readQuery(endpoint, exchange) as never,
    body: readJson(endpoint, exchange) as never,
    request: exchange,
  }
  const { route, house } = endpoint
  if (route.needs_if_match === true && exchange.incoming.headers['if-match'] === undefined) throw httpErrors.precondition_required()
  const ctx = house.app.context(exchange)
  const key = exchange.incoming.headers['idempotency-key']
  if (key !== undefined && route.idempotent !== undefined) {
    house.sweep()
    const run = async (inner: Ctx): Promise<Answer> => answerOf(endpoint, exchange, await route.handler(inner, input))
    withIdempotency(endpoint, exchange, ctx, key, run)
      .then((answer) => exchange.send(answer.status, answer.headers, answer.body))
      .catch((error: unknown) => exchange.fail(error))
    return
  }
  const result: unknown = route.handler(ctx, input)
  if (result instanceof Promise) {
    result.then((value: unknown) => finish(endpoint, exchange, value)).catch((error: unknown) => exchange.fail(error))
  } else finish(endpoint, exchange, result)
}

const finish = (endpoint: Endpoint, exchange: Exchange, result: unknown): void => {
  const answer = answerOf(endpoint, exchange, result)
  exchange.send(answer.status, answer.headers, answer.body)
}

const readParams = (endpoint: Endpoint, exchange: Exchange): unknown => {
  if (endpoint.params === null) return undefined
  const params: { [name: string]: unknown } = { ...exchange.params }
  for (const name of Object.keys(params)) checkText(params[name] as string, name)
  endpoint.params.coerce(params)
  endpoint.params.validate(params)
  return params
}

const readQuery = (endpoint: Endpoint, exchange: Exchange): unknown => {
  const { query } = exchange
  if (endpoint.query === null) {
    if (query === '' || endpoint.route.root === true) return undefined
    const names = Object.keys(parseQuery(query))
    if (names.length > 0) throw invalid(names.map((name) => ({ path: name, message: 'is not a known field' })))
    return undefined
  }
  const values: { [name: string]: unknown } = parseQuery(query)
  endpoint.query.coerce(values)
  endpoint.query.validate(values)
  return values
}

const readJson = (endpoint: Endpoint, exchange: Exchange): unknown => {
  const { body } = exchange
  if (body.length > 0) requireJson(exchange.incoming.headers['content-type'], exchange.incoming.headers['content-encoding'])
  if (endpoint.body === null) {
    // Some clients send `{}` or `null` with every POST.
    if (body.length > 0) requireNothing(parseJson(body))
    return undefined
  }
  // No body is an empty object: what is missing is then named field by field, and a body of optional fields may be left out.
  const value = body.length === 0 ? {} : parseJson(body)
  endpoint.body(value)
  return value
}

const requireNothing = (value: unknown): void => {
  if (value === null) return
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid([{ path: '', message: 'takes no body' }])
  const names = Object.keys(value)
  if (names.length > 0) throw invalid(names.map((name) => ({ path: name, message: 'is not a known field' })))
}

const json: Headers = { 'content-type': 'application/json; charset=utf-8' }
const private_json: Headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }

/** Turns what a handler returned into the reply that goes out: status, headers, and the fields that its schema names. */
export const answerOf = (endpoint: Endpoint, exchange: Exchange, result: unknown): Answer => {
  const { route, house } = endpoint
  const special = isReplyValue(result) ? result : null
  const status = special === null ? endpoint.first_status : special.status
  const value: unknown = special === null ? result : special.body
  const form = endpoint.replies.get(status)
  if (form === undefined) throw new Error(`${endpoint.name} answered ${status}, which it does not declare.`)
  const base = exchange.actor.type === 'anonymous' && special?.cookies === undefined ? json : private_json
  const headers: { [name: string]: string | readonly string[] } = { ...base, ...special?.headers }
  if (special?.cookies !== undefined) headers['set-cookie'] = special.cookies.map((cookie) => writeCookie(cookie, house.secure))
  if (route.etag === true && status < 300) {
    const revision = (value as { readonly revision?: unknown } | null)?.revision
    if (typeof revision !== 'number') throw new Error(`${endpoint.name} is declared with an ETag, but its reply has no revision.`)
    const etag = etagOf(revision)
    headers['etag'] = etag
    if (route.method === 'GET') {
      const { if_match } = exchange
      if (if_match !== null && if_match !== revision) throw httpErrors.precondition_failed({ headers: { etag } })
      if (!noneMatch(exchange.incoming.headers['if-none-match'], etag)) {
        delete headers['content-type']
        return { status: 304, headers, body: null }
      }
    }
  }
  if (form.empty) {
    delete headers['content-type']
    return { status, headers, body: null }
  }
  const shaped = form.shape(value)
  if (house.settings.check_replies) checkReply(endpoint, form, status, shaped)
  return { status, headers, body: JSON.stringify(shaped) ?? 'null' }
}

const checkReply = (endpoint: Endpoint, form: ReplyForm, status: number, shaped: unknown): void => {
  try {
    form.check(structuredClone(shaped))
  } catch (error) {
    throw new Error(`The ${status} reply of ${endpoint.name} does not fit its schema: ${String(error)}`, { cause: error })
  }
}
