import type { Ctx } from '../context.ts'
import type { Answer, ReplyForm } from './answer.ts'
import { answerOf } from './answer.ts'
import type { Identified } from './authenticate.ts'
import { readBody } from './body.ts'
import { httpErrors } from './errors.ts'
import type { Exchange } from './exchange.ts'
import { guard } from './guard.ts'
import type { House } from './house.ts'
import { withIdempotency } from './idempotency.ts'
import { identify } from './identify.ts'
import type { TextInput } from './input.ts'
import { inputOf, textInput } from './input.ts'
import type { Admit } from './permissions.ts'
import type { Limit } from './rate-limit.ts'
import type { OrdinaryRoute } from './route.ts'
import { shapeOf } from './shape.ts'
import type { JsonSchema } from './strict.ts'
import type { Validate } from './validate.ts'
import { validatorOf } from './validate.ts'

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
  /** Of a plain answer: the lowest that is declared. */
  readonly first_status: number
  readonly body_limit: number
}

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
  const input = inputOf(endpoint, exchange)
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
