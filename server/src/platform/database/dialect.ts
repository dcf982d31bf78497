import {
  type CompiledQuery,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  type Driver,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely'
import type { Rows } from './link.ts'
import type { Database } from './types.ts'

/** Runs one statement; whatever connection, scope or transaction it belongs to is the runner's business. */
export type Run = (text: string, parameters: readonly unknown[]) => Promise<Rows>

const dialect: Dialect = {
  createAdapter: () => new PostgresAdapter(),
  createDriver: () => new DummyDriver(),
  createIntrospector: (db) => new PostgresIntrospector(db),
  createQueryCompiler: () => new PostgresQueryCompiler(),
}
const adapter = dialect.createAdapter()
const compiler = dialect.createQueryCompiler()
const driver: Driver = dialect.createDriver()

/** A Kysely that has no connection of its own: it hands every compiled statement to `run`. Cheap enough to make one per request. */
export const kyselyOver = (run: Run): Kysely<Database> => {
  const execute = async <R>(query: CompiledQuery): Promise<QueryResult<R>> => toResult<R>(await run(query.sql, query.parameters))
  const connection: DatabaseConnection = {
    executeQuery: execute,
    streamQuery: () => {
      throw new Error('Results are not streamed: read in pages.')
    },
  }
  const executor = new DefaultQueryExecutor(compiler, adapter, { provideConnection: (consumer) => consumer(connection) })
  return new Kysely<Database>({ config: { dialect }, driver, dialect, executor })
}

const toResult = <R>(rows: Rows): QueryResult<R> => {
  const changed = rows.command === 'INSERT' || rows.command === 'UPDATE' || rows.command === 'DELETE' || rows.command === 'MERGE'
  return changed ? { rows: rows as R[], numAffectedRows: BigInt(rows.count) } : { rows: rows as R[] }
}
