import type { Kysely } from 'kysely'
import type { Database } from './types.ts'

/** What can be done outside a transaction: read. Raw SQL that writes is refused by the role's grants on the read path. */
export type ReadDb = Pick<Kysely<Database>, 'selectFrom' | 'with' | 'withRecursive' | 'fn' | 'dynamic' | 'getExecutor'>

/** What can be done inside one: everything. */
export type TxDb = Kysely<Database>
