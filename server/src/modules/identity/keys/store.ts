import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface KeyRow {
  readonly id: string
  readonly user_id: string
  readonly workspace_id: string
  readonly name: string
  readonly permissions: string[]
  readonly expires_at: string | null
  readonly requests_per_hour: number | null
  readonly last_used_at: string | null
  readonly last_used_address: string | null
  readonly revision: number
  readonly created_at: string
  readonly updated_at: string
}

const columns = [
  'id',
  'user_id',
  'workspace_id',
  'name',
  'permissions',
  'expires_at',
  'requests_per_hour',
  'last_used_at',
  'last_used_address',
  'revision',
  'created_at',
  'updated_at',
] as const

export const insertKey = (
  db: TxDb,
  key: Omit<KeyRow, 'last_used_at' | 'last_used_address' | 'revision' | 'updated_at'> & { readonly key_hash: string },
): Promise<KeyRow> =>
  db
    .insertInto('api_keys')
    .values({ ...key, updated_at: key.created_at })
    .returning(columns)
    .executeTakeFirstOrThrow()

export const countOfUser = async (db: ReadDb, user_id: string): Promise<number> => {
  const row = await db
    .selectFrom('api_keys')
    .where('user_id', '=', user_id)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

export interface KeyPage {
  readonly after: string | null
  readonly limit: number
  readonly descending: boolean
}

export interface KeyFilter {
  readonly user_id?: string | undefined
  readonly workspace_id?: string | undefined
}

const filtered = (db: ReadDb, filter: KeyFilter) =>
  db
    .selectFrom('api_keys')
    .$if(filter.user_id !== undefined, (query) => query.where('api_keys.user_id', '=', filter.user_id as string))
    .$if(filter.workspace_id !== undefined, (query) => query.where('api_keys.workspace_id', '=', filter.workspace_id as string))

/** By id, which is by when they were made. */
export const listKeys = (db: ReadDb, filter: KeyFilter, page: KeyPage): Promise<readonly KeyRow[]> =>
  filtered(db, filter)
    .select(columns)
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after))
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .execute()

export type OwnedKeyRow = KeyRow & { readonly email: string; readonly username: string }

/** The same with who owns each. */
export const listOwnedKeys = (db: ReadDb, filter: KeyFilter, page: KeyPage): Promise<readonly OwnedKeyRow[]> =>
  filtered(db, filter)
    .innerJoin('users', 'users.id', 'api_keys.user_id')
    .select(columns.map((column) => `api_keys.${column}` as const))
    .select(['users.email', 'users.username'])
    .$if(page.after !== null, (query) => query.where('api_keys.id', page.descending ? '<' : '>', page.after))
    .orderBy('api_keys.id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .execute()

export const countKeys = async (db: ReadDb, filter: KeyFilter): Promise<number> => {
  const row = await filtered(db, filter)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

export const keyById = (db: ReadDb, id: string): Promise<KeyRow | undefined> =>
  db.selectFrom('api_keys').select(columns).where('id', '=', id).executeTakeFirst()

export const lockKey = (db: TxDb, id: string): Promise<KeyRow | undefined> =>
  db.selectFrom('api_keys').select(columns).where('id', '=', id).forUpdate().executeTakeFirst()

export interface KeyUpdate {
  readonly name?: string
  readonly permissions?: string[]
  readonly expires_at?: string | null
  readonly requests_per_hour?: number | null
}

/** The row must be there. */
export const updateKey = (db: TxDb, id: string, change: KeyUpdate, at: string): Promise<KeyRow> =>
  db
    .updateTable('api_keys')
    .set((of) => ({ ...change, revision: of('revision', '+', 1), updated_at: at }))
    .where('id', '=', id)
    .returning(columns)
    .executeTakeFirstOrThrow()

/** Removes those that the filter names; answers what they were. */
export const deleteKeys = (
  db: TxDb,
  filter: { readonly id?: string; readonly user_id?: string; readonly workspace_id?: string },
): Promise<readonly KeyRow[]> =>
  db
    .deleteFrom('api_keys')
    .where((of) => of.and(filter))
    .returning(columns)
    .execute()

export type StoredKey = Pick<KeyRow, 'id' | 'user_id' | 'workspace_id' | 'permissions' | 'expires_at' | 'requests_per_hour'> & {
  readonly key_hash: string
}

/** Any number in one statement: keys that requests show for the first time. */
export const storedKeys = (db: ReadDb, ids: readonly string[]): Promise<readonly StoredKey[]> =>
  db
    .selectFrom('api_keys')
    .select(['id', 'user_id', 'workspace_id', 'permissions', 'expires_at', 'requests_per_hour', 'key_hash'])
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()

export interface Use {
  readonly id: string
  readonly at: string
  readonly address: string
}

/** Notes when keys were used last. Not a change of theirs: the revision stays. */
export const noteUses = async (db: TxDb, uses: readonly Use[]): Promise<void> => {
  await sql`
    update api_keys
    set last_used_at = used.at, last_used_address = used.address
    from unnest(${uses.map(({ id }) => id)}::uuid[], ${uses.map(({ at }) => at)}::timestamptz[], ${uses.map(({ address }) => address)}::text[])
      as used (id, at, address)
    where api_keys.id = used.id
      and (api_keys.last_used_at is null or api_keys.last_used_at < used.at)`.execute(db)
}
