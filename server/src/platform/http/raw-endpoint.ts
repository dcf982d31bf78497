import { large_bytes, readBody } from './body.ts'
import type { Exchange } from './exchange.ts'
import { guard } from './guard.ts'
import type { House } from './house.ts'
import type { RawRoute } from './route.ts'

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
        route.handle(house.app, exchange, exchange)?.catch((error: unknown) => exchange.fail(error))
      } catch (error) {
        exchange.fail(error)
      }
    }
    if (body.length < large_bytes) work()
    else house.inTurn(work)
  })
}
