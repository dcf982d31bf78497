import type { Ctx } from '../context.ts'
import { type Answer, answerOf } from './answer.ts'
import type { Identified } from './authenticate.ts'
import { large_bytes, readBody } from './body.ts'
import type { Endpoint } from './endpoint.ts'
import { httpErrors } from './errors.ts'
import type { Exchange } from './exchange.ts'
import { guard } from './guard.ts'
import { withIdempotency } from './idempotency.ts'
import { identify } from './identify.ts'
import { inputOf } from './input.ts'
import { isStreamedValue } from './route.ts'

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

const admit = (endpoint: Endpoint, exchange: Exchange, who: Identified): void => {
  exchange.actor = who.actor
  exchange.workspace_id = who.workspace_id
  endpoint.admit(who.actor)
}

const enter = (endpoint: Endpoint, exchange: Exchange, who: Identified): void => {
  admit(endpoint, exchange, who)
  const limited = endpoint.limit(exchange)
  if (limited === null) return receive(endpoint, exchange)
  limited.then(() => receive(endpoint, exchange)).catch((error: unknown) => exchange.fail(error))
}

const receive = (endpoint: Endpoint, exchange: Exchange): void => {
  const { method, body } = endpoint.route
  if (method === 'GET' || (method === 'DELETE' && body === undefined)) return work(endpoint, exchange)
  const began = performance.now()
  readBody(exchange.incoming, endpoint.body_limit, exchange.proceed, (problem, bytes) => {
    if (problem !== null) return exchange.fail(problem)
    exchange.body = bytes
    const go = (): void => {
      try {
        if (performance.now() - began < stale_ms) work(endpoint, exchange)
        else askAgain(endpoint, exchange)
      } catch (error) {
        exchange.fail(error)
      }
    }
    if (bytes.length < large_bytes) go()
    else endpoint.house.inTurn(go)
  })
}

/** A body may take minutes to come. Whoever has signed out meanwhile, or lost a right, must not act by a request begun before. */
const stale_ms = 500

const askAgain = (endpoint: Endpoint, exchange: Exchange): void => {
  const goOn = (who: Identified): void => {
    admit(endpoint, exchange, who)
    work(endpoint, exchange)
  }
  const identified = identify(endpoint, exchange)
  if (!(identified instanceof Promise)) return goOn(identified)
  identified.then(goOn).catch((error: unknown) => exchange.fail(error))
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
  if (isStreamedValue(result)) {
    exchange.stream(result).catch((error: unknown) => exchange.fail(error))
    return
  }
  const answer = answerOf(endpoint, exchange, result)
  exchange.send(answer.status, answer.headers, answer.body)
}
