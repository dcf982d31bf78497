import type { Answer } from './answer.ts'
import { large_bytes, readBody } from './body.ts'
import type { Exchange } from './exchange.ts'
import { guard } from './guard.ts'
import type { House } from './house.ts'
import { withRawIdempotency } from './idempotency.ts'
import type { RawReply, RawRoute } from './route.ts'

const changing = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** One request of a raw route: guarded, its body read, and handed over. */
export const handleRaw = (house: House, route: RawRoute, body_limit: number, exchange: Exchange): void => {
  try {
    guard(house, exchange, route.never_shed === true)
  } catch (error) {
    return exchange.fail(error)
  }
  readBody(exchange.incoming, body_limit, exchange.proceed, (problem, body) => {
    if (problem !== null) return exchange.fail(problem)
    exchange.body = body
    const work = (): void => {
      try {
        const admitted = route.admit?.(house.app, exchange)
        if (admitted === undefined) answer()
        else admitted.then(answer).catch((error: unknown) => exchange.fail(error))
      } catch (error) {
        exchange.fail(error)
      }
    }
    const answer = (): void => {
      try {
        const key = exchange.incoming.headers['idempotency-key']
        if (key !== undefined && route.idempotent === true && changing.has(exchange.method)) return once(house, route, exchange, key)
        route.handle(house.app, exchange, exchange)?.catch((error: unknown) => exchange.fail(error))
      } catch (error) {
        exchange.fail(error)
      }
    }
    if (body.length < large_bytes) work()
    else house.inTurn(work)
  })
}

/** A request with an `Idempotency-Key`: its reply is stored before it goes out, and given again to a repetition. */
const once = (house: House, route: RawRoute, exchange: Exchange, key: string | string[]): void => {
  house.sweep()
  withRawIdempotency(exchange, house.app.context(exchange), key, () => collect(house, route, exchange))
    .then((answer) => exchange.send(answer.status, answer.headers, answer.body))
    .catch((error: unknown) => exchange.fail(error))
}

const collect = (house: House, route: RawRoute, exchange: Exchange): Promise<Answer> => {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const reply: RawReply = {
    send: (status, headers, body) => resolve({ status, headers, body: body === null ? null : body.toString() }),
    fail: reject,
  }
  route.handle(house.app, exchange, reply)?.catch(reject)
  return promise
}
