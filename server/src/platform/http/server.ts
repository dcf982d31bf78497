import type { ServerOptions } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fastify as createFastify, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { Settings as TypeBox } from 'typebox/system'
import { onePerTurn } from '../../lib/turns.ts'
import type { App } from '../context.ts'
import type { Errors } from '../errors.ts'
import { version } from '../version.ts'
import type { Authenticate } from './authenticate.ts'
import { answerClientError } from './client-error.ts'
import { limitConnections } from './connections.ts'
import { corsOf } from './cors.ts'
import { docsRoutes } from './docs.ts'
import { errorPages } from './error-pages.ts'
import { httpErrors, internalErrors } from './errors.ts'
import { Exchange, type Observed } from './exchange.ts'
import { guard } from './guard.ts'
import { securityHeaders } from './headers.ts'
import type { House } from './house.ts'
import { createSweeper } from './idempotency.ts'
import { measureLoad } from './load.ts'
import { answerOtherMethod, findPath, routed_methods } from './methods.ts'
import { mountRoutes } from './mount.ts'
import { openApiOf } from './openapi.ts'
import { requestMetrics } from './request-metrics.ts'
import type { Quotas } from './quota.ts'
import type { Route } from './route.ts'
import { httpSettings, publicUrl, trustProxy } from './settings.ts'
import { readRequestId } from './trace.ts'

export interface HttpServerOptions {
  readonly app: App
  /** Of all modules. */
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  readonly quotas: Quotas | null
  /** Of all modules, and of the platform beside HTTP: for the pages that problem types lead to. */
  readonly errors: readonly Errors[]
}

export interface HttpServer {
  /** Starts to listen; answers with the address it really has. */
  readonly listen: (at: { readonly host: string; readonly port: number }) => Promise<{ readonly address: string; readonly port: number }>
  /** Sends a request without a socket, for tests. */
  readonly inject: FastifyInstance['inject']
  readonly fastify: FastifyInstance
  /** True from `drain` on: the readiness check says no. */
  readonly draining: () => boolean
  /**
   * Asks clients to go elsewhere: every reply closes its connection, idle ones are closed. What comes in is still answered. Resolves
   * when nothing is being worked on, or after `limit_ms`.
   */
  readonly drain: (limit_ms: number) => Promise<void>
  /** Stops to listen and lets requests finish, `limit_ms` at most; what is left then is cut off. */
  readonly close: (limit_ms: number) => Promise<void>
}

/** The HTTP server of an app: mounts the routes, and is the only file that knows Fastify's options. */
export const createHttpServer = async (options: HttpServerOptions): Promise<HttpServer> => {
  const house = createHouse(options)
  const observe = requestMetrics(options.app.metrics, house.load)
  const nowhere = observe('(none)', false)
  const fastify: FastifyInstance = createFastify(fastifyOptions(house, nowhere))
  // Bodies are read by us, after the caller is known: for Fastify no method has one.
  for (const method of fastify.supportedMethods) fastify.addHttpMethod(method, { hasBody: false, overrideExisting: true })
  const paths = mountRoutes(fastify, house, [...options.routes, ...ownRoutes(house, options)], observe)
  fastify.setNotFoundHandler((request, reply) => {
    const exchange = new Exchange(house, nowhere, request, reply)
    const known = routed_methods.includes(exchange.method) ? undefined : findPath(paths, exchange.path)
    if (known !== undefined) return answerOtherMethod(house, known.allow, exchange)
    try {
      guard(house, exchange, false)
      throw httpErrors.not_found({ detail: `There is nothing at ${exchange.shown_path}.` })
    } catch (error) {
      exchange.fail(error)
    }
  })
  fastify.setErrorHandler((error, request, reply) => new Exchange(house, nowhere, request, reply).fail(error))
  answerExpectations(fastify)
  refuseTunnels(fastify, house)
  limitConnections(fastify.server)
  await fastify.ready()
  return {
    listen: (at) => listen(fastify, house, at),
    inject: fastify.inject.bind(fastify),
    fastify,
    draining: () => house.draining,
    drain: async (limit_ms) => {
      house.draining = true
      fastify.server.closeIdleConnections()
      const quiet = new AbortController()
      await Promise.race([house.load.idle(), delay(limit_ms, undefined, { signal: quiet.signal }).catch(() => undefined)])
      quiet.abort()
    },
    close: (limit_ms) => close(fastify, house, limit_ms),
  }
}

const fastifyOptions = (house: House, nowhere: Observed): FastifyServerOptions & { readonly http: ServerOptions } => ({
  logger: false,
  trustProxy: trustProxy(house.settings.trust_proxy),
  genReqId: (request) => readRequestId(request.headers['x-request-id']) ?? house.app.newId(),
  // A missing Host is answered by us, with a problem document.
  http: { requireHostHeader: false, maxHeaderSize: 16_384, headersTimeout: 20_000 },
  requestTimeout: 120_000,
  keepAliveTimeout: 72_000,
  return503OnClosing: false,
  exposeHeadRoutes: false,
  // The query stays as it was sent until a route asks for it.
  routerOptions: { querystringParser: (query: string) => query as never, maxParamLength: 2_048 },
  clientErrorHandler: (error, socket) => answerClientError(house, error, socket),
  frameworkErrors: (error, request, reply) => {
    const code = (error as { readonly code?: string }).code
    const problem =
      code === 'FST_ERR_BAD_URL'
        ? httpErrors.malformed_request({ detail: 'The path is not valid percent-encoding.' })
        : httpErrors.not_found()
    new Exchange(house, nowhere, request, reply).fail(problem)
  },
})

const createHouse = (options: HttpServerOptions): House => {
  TypeBox.Set({ maxErrors: 32 })
  const settings = options.app.settings(httpSettings)
  const secure = settings.public_url?.startsWith('https:') === true
  return {
    app: options.app,
    settings,
    public_url: publicUrl(settings),
    secure,
    security_headers: securityHeaders(secure),
    cors: corsOf(settings.cors_origins),
    load: measureLoad(settings.max_in_flight, settings.max_event_loop_delay_ms),
    draining: false,
    last_host: '',
    authenticate: options.authenticate,
    quotas: options.quotas,
    sweep: createSweeper(options.app),
    inTurn: onePerTurn(),
  }
}

/** A client that asks before it sends its body is answered by the route, not by Node: a body that is refused is then never sent. */
const answerExpectations = (fastify: FastifyInstance): void => {
  fastify.server.on('checkContinue', (request, response) => {
    ;(request as { awaits_continue?: boolean }).awaits_continue = true
    fastify.server.emit('request', request, response)
  })
  fastify.server.on('checkExpectation', (request, response) => fastify.server.emit('request', request, response))
}

/** This is no proxy. Without a word from us Node would hang up without one. */
const refuseTunnels = (fastify: FastifyInstance, house: House): void => {
  fastify.server.on('connect', (_request, socket) => {
    // Node has taken its own listeners off: a client that resets the connection would end the process.
    socket.on('error', () => socket.destroy())
    answerClientError(house, new Error('CONNECT is for proxies'), socket as Socket)
  })
}

const listen = async (fastify: FastifyInstance, house: House, at: { readonly host: string; readonly port: number }) => {
  await fastify.listen({ ...at, backlog: 1_024 })
  const { address, port } = fastify.server.address() as AddressInfo
  house.public_url = publicUrl({ ...house.settings, host: at.host }, port)
  return { address, port }
}

const close = async (fastify: FastifyInstance, house: House, limit_ms: number): Promise<void> => {
  house.draining = true
  const timer = setTimeout(() => fastify.server.closeAllConnections(), limit_ms)
  try {
    await fastify.close()
  } finally {
    clearTimeout(timer)
    house.load.stop()
  }
}

/** The description of the routes, and what the types of problems lead to. */
const ownRoutes = (house: House, options: HttpServerOptions): readonly Route[] => {
  const { routes, app } = options
  const moduleOf = (route: Route): string | undefined => app.modules.find((module) => module.routes?.includes(route))?.name
  const documented = (): readonly Route[] => [...routes, ...pages]
  const document = (): object =>
    openApiOf({
      version,
      public_url: house.public_url,
      permissions: app.permissions,
      quotas: options.quotas,
      routes: documented().map((route) => ({ route, tag: moduleOf(route) ?? 'service' })),
    })
  const pages = errorPages([...platformErrors, ...options.errors])
  return house.settings.docs ? [...pages, ...docsRoutes(document)] : pages
}

/** The errors that every route may answer with. */
export const platformErrors: readonly Errors[] = [httpErrors, internalErrors]
