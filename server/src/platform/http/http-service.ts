import type { App } from '../context.ts'
import { defineService } from '../service.ts'
import { StartError } from '../start-error.ts'
import type { Authenticate } from './authenticate.ts'
import { httpErrors, internalErrors } from './errors.ts'
import { createHttpServer, type HttpServer } from './server.ts'
import { type HttpSettings, httpSettings, publicUrl } from './settings.ts'

/** How long requests that are under way may take to finish when the server is told to stop. */
export const drain_limit_ms = 30_000

/**
 * For so much of that time, while there are requests to finish, new ones are still taken: so that a load balancer hears from
 * `/readyz` that it should send them elsewhere, instead of losing those it has sent already.
 */
const notice_ms = 5_000

export interface HttpService {
  readonly server: HttpServer
  /** Where clients reach the server: `PUBLIC_URL`, or else the address it listens on. */
  readonly url: () => string
  readonly listen: () => Promise<void>
  readonly close: (limit_ms: number) => Promise<void>
}

/** The HTTP server over everything that the app's modules offer. Mounted after all of them, so it serves once they have started. */
export const httpService = defineService<HttpService>({
  name: 'http',
  create: async (app) => {
    const settings = app.settings(httpSettings)
    const server = await createHttpServer({
      app,
      routes: app.modules.flatMap((module) => module.routes ?? []),
      authenticate: authenticateOf(app),
      quotas: app.modules.find((module) => module.quotas)?.quotas ?? null,
      // The server knows its own.
      errors: app.modules.flatMap((module) => module.errors ?? []).filter((errors) => errors !== httpErrors && errors !== internalErrors),
    })
    let { port } = settings
    let closed: Promise<void> | null = null
    return {
      server,
      url: () => publicUrl(settings, port),
      listen: async () => {
        try {
          port = (await server.listen({ host: settings.host, port })).port
        } catch (error) {
          throw listenError(error, settings)
        }
      },
      close: (limit_ms) => (closed ??= server.close(limit_ms)),
    }
  },
  start: ({ listen }) => listen(),
  drain: async ({ server, close }) => {
    await server.drain(notice_ms)
    await close(drain_limit_ms - notice_ms)
  },
  stop: ({ close }) => close(1_000),
})

const authenticateOf = (app: App): Authenticate => app.modules.find((module) => module.authenticate)?.authenticate ?? nobodySignsIn

const nobodySignsIn: Authenticate = (_app, { bearer, api_key }) => {
  if (bearer !== null || api_key !== null) throw httpErrors.unauthenticated({ headers: { 'www-authenticate': 'Bearer' } })
  return { actor: { type: 'anonymous' }, workspace_id: null }
}

const listenError = (error: unknown, { host, port }: HttpSettings): unknown => {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new StartError(
        `Port ${port} on ${host} is in use.`,
        'Stop what uses it, or set PORT to another one (0 takes a free one).',
        error,
      )
    case 'EACCES':
      return new StartError(`Port ${port} may not be used by this user.`, 'Set PORT to one from 1024 on.', error)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartError(
        `${host} is no address of this machine.`,
        'Set HOST to one of its addresses, or to 0.0.0.0 for all of them.',
        error,
      )
    default:
      return error
  }
}
