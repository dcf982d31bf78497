import {
  type AbortableQueryOptions,
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

/** Kysely's own executor takes and releases a connection around each query; there is none to take here. */
class DirectExecutor extends DefaultQueryExecutor {
  readonly #run: Run

  constructor(run: Run) {
    const connection: DatabaseConnection = {
      executeQuery: async <R>(query: CompiledQuery) => toResult<R>(await run(query.sql, query.parameters)),
      streamQuery: () => {
        throw new Error('Results are not streamed: read in pages.')
      },
    }
    super(compiler, adapter, { provideConnection: (consumer) => consumer(connection) })
    this.#run = run
  }

  override async executeQuery<R>(query: CompiledQuery, options?: AbortableQueryOptions): Promise<QueryResult<R>> {
    if (options?.signal) return super.executeQuery<R>(query, options)
    return toResult<R>(await this.#run(query.sql, query.parameters))
  }
}

/** A Kysely that has no connection of its own: it hands every compiled statement to `run`. Cheap enough to make one per request. */
export const kyselyOver = (run: Run): Kysely<Database> =>
  new Kysely<Database>({ config: { dialect }, driver, dialect, executor: new DirectExecutor(run) })

const toResult = <R>(rows: Rows): QueryResult<R> => {
  const changed = rows.command === 'INSERT' || rows.command === 'UPDATE' || rows.command === 'DELETE' || rows.command === 'MERGE'
  return changed ? { rows: rows as R[], numAffectedRows: BigInt(rows.count) } : { rows: rows as R[] }
}
