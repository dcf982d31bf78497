import type { Kysely } from 'kysely'
import type { ReadonlyKysely } from 'kysely/readonly'
import type postgres from 'postgres'
import { createSignal, type Signal } from '../events/signal.ts'
import type { Logger } from '../log.ts'
import { type Control, type Listener, openControl } from './control.ts'
import { kyselyOver, type Run } from './dialect.ts'
import { type ConnectionOptions, driverOptions, openClient } from './link.ts'
import { migrate, type MigrationSource } from './migrate.ts'
import { openReader } from './read.ts'
import type { Scope } from './scope.ts'
import { openWriter, type Writer } from './transaction.ts'
import type { Database } from './types.ts'

/**
 * What can be done outside a transaction: read. Writing does not compile, and what gets around the compiler (raw SQL) is
 * refused by PostgreSQL, because the connections behind it are read-only.
 */
export type ReadDb = Pick<ReadonlyKysely<Database>, 'selectFrom' | 'selectNoFrom' | 'with' | 'withRecursive' | 'fn' | 'case' | 'dynamic'> &
  Pick<Kysely<Database>, 'getExecutor'>

/** What can be done inside one: everything. What takes a `ReadDb` takes this as well. */
export type TxDb = Kysely<Database> & ReadDb

export interface DatabaseOptions {
  readonly connection: ConnectionOptions
  readonly log: Logger
  /** How many connections each path may open; they are opened when first needed. */
  readonly pool?: { readonly lanes?: number; readonly transactions?: number; readonly system?: number }
}

export interface DatabaseHandle {
  readonly connection: ConnectionOptions
  /** Brings the schema up to date; the platform's own migrations come first by themselves. Answers how many files were applied. */
  readonly migrate: (modules: readonly MigrationSource[]) => Promise<number>
  /** Reads through the eyes of a scope: one round trip each, scope included. Problem `database.unavailable` after 5 s without a database. */
  readonly read: (scope: Scope) => ReadDb
  /** The same for a statement that is written out as SQL. */
  readonly readSql: (scope: Scope) => Run
  readonly transaction: Writer['transaction']
  /** The raw driver as `millrace_system`, for SQL that is kept in step with its code by hand: the engine's journal. */
  readonly system: postgres.Sql
  /** Hears a channel for as long as the handle is open. `onLost`: the connection was away, notifications may have been missed. */
  readonly listen: (
    channel: string,
    fn: (payload: string) => void,
    options?: { readonly onLost?: () => void },
  ) => Promise<() => Promise<void>>
  readonly control: Control
  /** Raised in this process after each commit that recorded events. */
  readonly committed: Signal
  /** One read; rejects when the database does not answer. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Opens nothing yet: each connection is made when it is first used. */
export const openDatabase = async ({ connection, log, pool = {} }: DatabaseOptions): Promise<DatabaseHandle> => {
  const reader = openReader(connection, { app: pool.lanes ?? 3, system: 1 })
  const writer = openWriter(connection, pool.transactions ?? 8)
  const control = openControl(connection, log)
  const system = openClient(connection, {
    ...driverOptions({
      connection,
      role: 'millrace_system',
      settings: { lock_timeout: '10s', idle_in_transaction_session_timeout: '60s' },
    }),
    max: pool.system ?? 3,
    // The driver throws for an undefined value while it writes the statement, and then gives the answers on that connection to the wrong callers.
    transform: { undefined: null },
    backoff: (tries) => Math.min(0.05 * 2 ** tries, 1),
  })
  const asSystem: Scope = { role: 'millrace_system', user_id: null, workspace_id: null }

  return {
    connection,
    migrate: async (modules) => {
      const owner = openClient(connection, { ...driverOptions({ connection, role: null }), max: 1 })
      try {
        return await migrate({ sql: owner, modules, log })
      } finally {
        await owner.end({ timeout: 5 })
      }
    },
    // Kysely's full type says more than this instance may do; what it may do is what ReadDb says.
    read: (scope) => kyselyOver(reader.read(scope)) as unknown as ReadDb,
    readSql: reader.read,
    transaction: writer.transaction,
    system,
    listen: (channel, onNotify, options) => control.listen(channel, { onNotify, onLost: options?.onLost } satisfies Listener),
    control,
    committed: createSignal(),
    ping: async () => {
      await reader.read(asSystem)('select 1 as alive', [])
    },
    close: async () => {
      await Promise.all([reader.close(), writer.close(), control.close(), system.end({ timeout: 5 })])
    },
  }
}
