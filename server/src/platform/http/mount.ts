import type { FastifyInstance } from 'fastify'
import { endpointOf } from './endpoint.ts'
import { handle } from './handle.ts'
import { Exchange, type Observed } from './exchange.ts'
import type { House } from './house.ts'
import { answerOtherMethod, type KnownPath, methodsOf, patternOf, routed_methods, shapeOfPath } from './methods.ts'
import { admitBy } from './permissions.ts'
import { createLimits } from './rate-limit.ts'
import { handleRaw } from './raw-endpoint.ts'
import { isRaw, type Route } from './route.ts'

/** Mounts the routes and, for every path, what answers the methods that no route takes there. Answers the paths. */
export const mountRoutes = (
  fastify: FastifyInstance,
  house: House,
  routes: readonly Route[],
  observe: (route: string, quiet: boolean) => Observed,
): readonly KnownPath[] => {
  const limits = createLimits(house)
  const taken = new Map<string, { readonly pattern: string; readonly methods: Set<string> }>()
  for (const route of routes) {
    const pattern = patternOf(route)
    const shape = shapeOfPath(pattern)
    const there = taken.get(shape) ?? { pattern, methods: new Set<string>() }
    taken.set(shape, there)
    for (const method of methodsOf(route)) {
      if (there.methods.has(method)) throw new Error(`Two routes answer ${method} ${pattern}.`)
      there.methods.add(method)
    }
    const observed = observe(declaredPath(pattern), route.never_shed === true || (isRaw(route) && route.quiet === true))
    const run = runner(house, route, limits)
    fastify.route({
      method: [...methodsOf(route)],
      url: pattern,
      handler: (request, reply) => run(new Exchange(house, observed, request, reply)),
    })
  }
  const paths: KnownPath[] = []
  for (const { pattern, methods } of taken.values()) {
    const observed = observe(declaredPath(pattern), false)
    const allow = [...new Set([...methods, 'OPTIONS'])].toSorted().join(', ')
    paths.push({ pattern, allow })
    const others = routed_methods.filter((method) => !methods.has(method))
    if (others.length === 0) continue
    fastify.route({
      method: others,
      url: pattern,
      handler: (request, reply) => answerOtherMethod(house, allow, new Exchange(house, observed, request, reply)),
    })
  }
  return paths
}

const declaredPath = (pattern: string): string => pattern.replaceAll(/:(\w+)/g, '{$1}')

const runner = (house: House, route: Route, limits: ReturnType<typeof createLimits>): ((exchange: Exchange) => void) => {
  if (isRaw(route)) {
    const limit = route.body_limit_bytes ?? house.settings.body_limit_bytes
    return (exchange) => handleRaw(house, route, limit, exchange)
  }
  const limit = limits(`${route.method} ${route.path}`, route.limits ?? [])
  const endpoint = endpointOf(house, route, admitBy(route.allow, house.app.permissions), limit)
  return (exchange) => handle(endpoint, exchange)
}
