import pino from 'pino'
import { idSource } from '../../lib/id.ts'
import type { App } from '../context.ts'
import type { DatabaseHandle } from '../database/open.ts'
import { createLifecycle } from '../lifecycle.ts'
import { loadConfig } from '../load-config.ts'
import type { Logger } from '../log.ts'
import { withContexts } from '../make-context.ts'
import { createMetrics } from '../metrics.ts'
import type { Module } from '../module.ts'
import type { Service } from '../service.ts'

export interface BareApp {
  readonly app: App
  readonly stop: () => Promise<void>
}

export interface BareAppOptions {
  readonly database: DatabaseHandle
  readonly modules?: readonly Module[]
  // A list of services of different instances.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly services?: readonly Service<any>[]
  readonly log?: Logger
}

/** An app with a database and the given services and nothing else: for tests of the platform itself. */
export const bareApp = async ({
  database,
  modules = [],
  services = [],
  log = pino({ level: 'silent' }),
}: BareAppOptions): Promise<BareApp> => {
  const lifecycle = createLifecycle(services)
  const config = loadConfig({ declared: [], env: {} })
  const newId = idSource(Date.now)
  const app = withContexts({
    ...{ log, config, modules, permissions: new Map(), database, newId, now: Date.now, settings: config.values, use: lifecycle.use },
    metrics: createMetrics({ process_figures: false }),
    instance_id: newId(),
  })
  await lifecycle.start(app)
  return { app, stop: lifecycle.stop }
}
