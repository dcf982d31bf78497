import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DestinationStream } from 'pino'
import engine from './engine/module.ts'
import { idSource } from './lib/id.ts'
import { checkModules } from './platform/check-modules.ts'
import { type Clock, systemClock } from './platform/clock.ts'
import type { App } from './platform/context.ts'
import { type DataDirectory, openDataDirectory } from './platform/database/data-directory.ts'
import { connectionError, connectionOf } from './platform/database/database-url.ts'
import { findEmbeddedPostgres, startEmbeddedPostgres } from './platform/database/embedded.ts'
import type { ConnectionOptions } from './platform/database/link.ts'
import { type DatabaseHandle, openDatabase } from './platform/database/open.ts'
import { platformAbove, platformBelow } from './platform/floor.ts'
import { createLifecycle } from './platform/lifecycle.ts'
import { type Config, type Environment, loadConfig } from './platform/load-config.ts'
import { createLog, type Logger } from './platform/log.ts'
import { withContexts } from './platform/make-context.ts'
import { createMetrics } from './platform/metrics.ts'
import type { Module } from './platform/module.ts'
import { permissionsOf, type Roles } from './platform/permissions.ts'
import { settings } from './platform/settings.ts'
import { StartError } from './platform/start-error.ts'

export interface AppOptions {
  /** In order: a module stands after those it needs. */
  readonly modules: readonly Module[]
  /** Who may do what. */
  readonly roles: Roles
  readonly env: Environment
  /** Path of a `.env` file that need not exist. */
  readonly env_file?: string
  readonly clock?: Clock
  /** Log for a person, not for a machine. */
  readonly pretty?: boolean
  readonly log_to?: DestinationStream
  /** A database that somebody else runs; without it the one of `DATABASE_URL`, else the embedded one. */
  readonly connection?: ConnectionOptions
  /** What the app needs to live has ended for good, and the app should be stopped. */
  readonly onFatal?: (error: Error) => void
}

/** An app that can be started once and stopped once. */
export interface Composition {
  readonly config: Config
  readonly log: Logger
  /** Brings the database up to date without serving anything. Answers how many migrations it applied. */
  readonly migrate: () => Promise<number>
  /** Opens the database as it is, without bringing it up to date: for a command that looks into it, also while a server runs on it. */
  readonly database: () => Promise<DatabaseHandle>
  /** Resolves when everything has started. When it rejects, `stop` is still due. */
  readonly start: () => Promise<App>
  /** Takes on nothing new, and resolves when what was under way has finished. */
  readonly drain: () => Promise<void>
  /** Ends everything that was started, last first; a start that is under way is given up. Never rejects: what fails is logged. */
  readonly stop: () => Promise<void>
}

/**
 * Puts an app together: configuration, data directory, database, migrations, then every service. Nothing is opened before
 * `start`. Throws at once for modules that do not fit together and for a configuration that is not right (`StartError`).
 */
export const createApp = (options: AppOptions): Composition => {
  const { env, env_file, clock = systemClock, pretty = false, log_to } = options
  const modules = composed(options.modules)
  checkModules(modules, options.roles)
  const declared = modules.flatMap(({ name, settings: mine }) => (mine ? [{ owner: name, settings: mine }] : []))
  const config = loadConfig({ declared, env, ...(env_file === undefined ? {} : { env_file }) })
  const { log_level, metrics_token } = config.values(settings)
  const log = createLog({ level: log_level, pretty, ...(log_to ? { destination: log_to } : {}) })
  const lifecycle = createLifecycle(modules.flatMap((module) => module.services ?? []))
  const permissions = permissionsOf(modules, options.roles)
  const grounds = layGrounds({ options, modules, config, log })

  const start = once(async (): Promise<App> => {
    const { directory, database } = await grounds.open()
    const parts = { log, config, modules, permissions, database, instance_id: directory.instance_id }
    const app = withContexts({
      ...parts,
      metrics: createMetrics({ process_figures: metrics_token !== null }),
      now: clock.now,
      newId: idSource(clock.now),
      settings: config.values,
      use: lifecycle.use,
    })
    await lifecycle.start(app)
    return app
  })
  const stop = once(async (): Promise<void> => {
    grounds.giveUp()
    await start.settled()
    await lifecycle.stop()
    await grounds.close()
  })
  const migrate = async (): Promise<number> => (await grounds.open()).migrated
  return { config, log, start: start.run, stop: stop.run, drain: lifecycle.drain, migrate, database: grounds.look }
}

/** The floors, lowest first. */
export const composed = (modules: readonly Module[]): readonly Module[] => [...platformBelow, engine, ...modules, ...platformAbove]

interface Grounds {
  readonly directory: DataDirectory
  readonly database: DatabaseHandle
  readonly migrated: number
}

interface GroundsInput {
  readonly options: AppOptions
  readonly modules: readonly Module[]
  readonly config: Config
  readonly log: Logger
}

/** What every service stands on: the data directory and a migrated database in it, or elsewhere. */
const layGrounds = ({ options, modules, config, log }: GroundsInput) => {
  const owned = new AsyncDisposableStack()
  const giving_up = new AbortController()
  const { data_dir, database_url } = config.values(settings)

  const connect = async (directory: DataDirectory | null): Promise<ConnectionOptions> => {
    if (options.connection) return options.connection
    if (database_url !== null) return connectionOf(database_url)
    if (directory === null) throw new Error('An embedded database needs a data directory.')
    const { onFatal } = options
    const embedded = await startEmbeddedPostgres({ directory, log, signal: giving_up.signal, ...(onFatal ? { onFatal } : {}) })
    owned.defer(embedded.stop)
    return { host: embedded.host, port: embedded.port, user: embedded.user, database: embedded.database }
  }
  const migrate = async (database: DatabaseHandle): Promise<number> => {
    try {
      return await database.migrate(modules.flatMap(({ name, migrations }) => (migrations ? [{ name, migrations }] : [])))
    } catch (error) {
      throw database_url === null ? error : connectionError(error, database_url)
    }
  }
  const open = once(async (): Promise<Grounds> => {
    const directory = await openDataDirectory(data_dir)
    owned.defer(directory.close)
    const database = await openDatabase({ connection: await connect(directory), log })
    owned.defer(database.close)
    giving_up.signal.throwIfAborted()
    const migrated = await migrate(database)
    giving_up.signal.throwIfAborted()
    return { directory, database, migrated }
  })
  const look = once(() => lookInto({ owned, log, data_dir, database_url, connection: options.connection, connect }))
  const close = async (): Promise<void> => {
    await Promise.all([open.settled(), look.settled()])
    try {
      await owned.disposeAsync()
    } catch (error) {
      log.error({ err: error }, 'stop failed')
    }
  }
  return {
    open: open.run,
    look: look.run,
    close,
    giveUp: () => giving_up.abort(new Error('The server was told to stop while it started.')),
  }
}

interface LookInput {
  readonly owned: AsyncDisposableStack
  readonly log: Logger
  readonly data_dir: string
  readonly database_url: string | null
  readonly connection: ConnectionOptions | undefined
  readonly connect: (directory: DataDirectory | null) => Promise<ConnectionOptions>
}

/** Opens the database without a change to it: the one that is named, the one of a server that runs here, or the embedded one that rests here. */
const lookInto = async ({ owned, log, data_dir, database_url, connection, connect }: LookInput): Promise<DatabaseHandle> => {
  const is_named = connection !== undefined || database_url !== null
  const running = is_named ? null : await findEmbeddedPostgres(data_dir)
  const place = is_named || running !== null ? null : await openResting(data_dir)
  if (place !== null) owned.defer(place.close)
  const database = await openDatabase({ connection: running ?? (await connect(place)), log })
  owned.defer(database.close)
  try {
    await database.ping()
  } catch (error) {
    throw database_url === null ? error : connectionError(error, database_url)
  }
  return database
}

const openResting = (data_dir: string): Promise<DataDirectory> => {
  if (existsSync(join(data_dir, 'postgres'))) return openDataDirectory(data_dir)
  throw new StartError(`There is no database in ${data_dir}.`, 'Set MILLRACE_DATA_DIR or DATABASE_URL as the server has them.')
}

/** Runs `work` at the first call; later calls get the same promise. `settled` waits for a run that was begun, however it ends. */
const once = <T>(work: () => Promise<T>): { readonly run: () => Promise<T>; readonly settled: () => Promise<unknown> } => {
  let running: Promise<T> | null = null
  return { run: () => (running ??= work()), settled: () => Promise.allSettled([running]) }
}
