import { METHODS } from 'node:http'
import { Exchange } from './exchange.ts'
import { guard } from './guard.ts'
import { httpErrors } from './errors.ts'
import type { House } from './house.ts'
import type { Route } from './route.ts'
import { isRaw } from './route.ts'

/** Every method that the parser lets through, except CONNECT, which never becomes a request. */
export const known_methods: readonly string[] = METHODS.filter((method) => method !== 'CONNECT')

export const methodsOf = (route: Route): readonly string[] => {
  const declared: readonly string[] = isRaw(route) ? route.methods : [route.method]
  return declared.includes('GET') && !declared.includes('HEAD') ? [...declared, 'HEAD'] : declared
}

/** `/api/v1/workflows/{id}/publish` as Fastify writes it. */
export const patternOf = (route: Route): string => {
  const path = isRaw(route) || route.root === true ? route.path : `/api/v1${route.path}`
  return path.replaceAll(/\{(\w+)\}/g, ':$1')
}

/** Two paths of one shape share their methods, whatever they call their parameters. */
export const shapeOfPath = (pattern: string): string => pattern.replaceAll(/:\w+/g, ':_')

/** Answers a known path for a method that no route takes there: OPTIONS with what is allowed, the others with 405. */
export const answerOtherMethod = (house: House, allow: string, exchange: Exchange): void => {
  try {
    guard(house, exchange, true)
    if (exchange.method !== 'OPTIONS') {
      throw httpErrors.method_not_allowed({ detail: `${exchange.method} is not allowed here. Allowed: ${allow}.`, headers: { allow } })
    }
    exchange.send(204, { allow, ...house.cors?.preflight(exchange.incoming.headers.origin, allow) }, null)
  } catch (error) {
    exchange.fail(error)
  }
}
