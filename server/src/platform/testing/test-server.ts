import type { DestinationStream } from 'pino'
import { idSource } from '../../lib/id.ts'
import { type Clock, manualClock } from '../clock.ts'
import type { App } from '../context.ts'
import { counters } from '../counters/counters.ts'
import { settings as counterSettings } from '../counters/settings.ts'
import type { Authenticate } from '../http/authenticate.ts'
import { httpErrors } from '../http/errors.ts'
import type { Quotas } from '../http/quota.ts'
import type { Route } from '../http/route.ts'
import { createHttpServer, type HttpServer } from '../http/server.ts'
import { httpSettings } from '../http/settings.ts'
import { createLifecycle } from '../lifecycle.ts'
import { loadConfig } from '../load-config.ts'
import { createLog } from '../log.ts'
import { withContexts } from '../make-context.ts'
import { createMetrics } from '../metrics.ts'
import { secrets } from '../secrets.ts'
import { settings } from '../settings.ts'
import { type Least, permissionsFrom } from './permissions.ts'
import type { TestDatabase } from './test-database.ts'

export interface TestServer {
  readonly app: App
  readonly server: HttpServer
  readonly port: number
  readonly url: string
  readonly clock: ReturnType<typeof manualClock>
  /** The lines logged so far. */
  readonly log: () => readonly { readonly [field: string]: unknown }[]
  readonly close: () => Promise<void>
}

export interface TestServerOptions {
  readonly routes: readonly Route[]
  readonly permissions?: Least
  readonly env?: { readonly [variable: string]: string }
  readonly database: TestDatabase
  readonly quotas?: Quotas | null
}

/**
 * The HTTP server over a database and the routes of a test, with nothing of any module. Whoever sends
 * `Bearer <user_id>/<workspace_role>/<plan>/<role>` is that user, in the workspace of `X-Workspace-Id`.
 */
export const testServer = async ({
  routes,
  permissions = {},
  env = {},
  database,
  quotas = null,
}: TestServerOptions): Promise<TestServer> => {
  const lines: string[] = []
  const destination: DestinationStream = { write: (line) => void lines.push(line) }
  const config = loadConfig({
    declared: [
      { owner: 'platform', settings },
      { owner: 'http', settings: httpSettings },
      { owner: 'counters', settings: counterSettings },
    ],
    env: { MILLRACE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'), MILLRACE_CHECK_REPLIES: 'true', ...env },
  })
  const clock: Clock & { advance: (ms: number) => void } = manualClock(Date.now())
  const lifecycle = createLifecycle([secrets, counters])
  const newId = idSource(Date.now)
  const log = createLog({ level: 'debug', destination })
  const app = withContexts({
    ...{
      log,
      config,
      modules: [],
      permissions: permissionsFrom(permissions),
      database: database.handle,
      newId,
      now: clock.now,
      settings: config.values,
      use: lifecycle.use,
    },
    metrics: createMetrics({ process_figures: false }),
    instance_id: newId(),
  })
  await lifecycle.start(app)
  const server = await createHttpServer({ app, routes, authenticate: whoSaysSo, quotas, errors: [] })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    ...{ app, server, port, clock, url: `http://127.0.0.1:${port}` },
    log: () => lines.map((line) => JSON.parse(line) as { readonly [field: string]: unknown }),
    close: async () => {
      await server.close(1_000)
      await lifecycle.stop()
    },
  }
}

const whoSaysSo: Authenticate = (_app, { bearer, workspace_id }) => {
  if (bearer === null) return { actor: { type: 'anonymous' }, workspace_id: null }
  if (bearer === 'expired') throw httpErrors.unauthenticated({ headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })
  const [user_id = '', workspace_role = 'member', plan = 'enterprise', role = 'user'] = bearer.split('/')
  return {
    actor: {
      type: 'user',
      user_id,
      workspace_role: workspace_role as 'member',
      plan,
      role: role as 'user',
      via: { type: 'session', session_id: user_id },
      impersonator_id: null,
    },
    workspace_id,
  }
}
