import type { Exchange } from './exchange.ts'
import { guard } from './guard.ts'
import { httpErrors } from './errors.ts'
import type { House } from './house.ts'
import type { Route } from './route.ts'
import { isRaw } from './route.ts'

/** The methods that the router knows. Each costs a tree of all paths (0.5 MiB), so the rest (PROPFIND and its like) is found by `findPath`. */
export const routed_methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

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

export interface KnownPath {
  readonly pattern: string
  /** As `Allow` says it. */
  readonly allow: string
}

/** The path that a request names, for a method that the router does not know; fixed words before parameters. */
export const findPath = (paths: readonly KnownPath[], path: string): KnownPath | undefined => {
  const fits = ({ pattern }: KnownPath): boolean => {
    const source = pattern
      .replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll(/:\w+/g, '[^/]+')
      .replaceAll('*', '.*')
    return new RegExp(`^${source}$`).test(path)
  }
  const found = paths.filter(fits)
  return found.find(({ pattern }) => !/[:*]/.test(pattern)) ?? found[0]
}

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
