import type { Json } from '../../lib/json.ts'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'

export interface TokenRow {
  readonly purpose: string
  readonly user_id: string | null
  readonly data: { readonly [field: string]: Json }
  readonly created_at: string
}

export const insert = async (db: TxDb, token: TokenRow & { readonly token_hash: string; readonly expires_at: string }): Promise<void> => {
  await db.insertInto('one_time_tokens').values(token).execute()
}

/** Some of those that are of no use any more; not those that another transaction is at. */
export const deleteExpired = async (db: TxDb, at: string): Promise<void> => {
  await db
    .deleteFrom('one_time_tokens')
    .where('token_hash', 'in', (of) =>
      of.selectFrom('one_time_tokens').select('token_hash').where('expires_at', '<=', at).limit(100).forUpdate().skipLocked(),
    )
    .execute()
}

/** Reads a token that is still good, and leaves it. */
export const find = (db: ReadDb, token_hash: string, purposes: readonly string[], at: string): Promise<TokenRow | undefined> =>
  db
    .selectFrom('one_time_tokens')
    .select(['purpose', 'user_id', 'data', 'created_at'])
    .where('token_hash', '=', token_hash)
    .where('purpose', 'in', purposes)
    .where('expires_at', '>', at)
    .executeTakeFirst() as Promise<TokenRow | undefined>

/** The one statement that uses a token up: of many at once, one gets the row. */
export const take = (db: TxDb, token_hash: string, purposes: readonly string[], at: string): Promise<TokenRow | undefined> =>
  db
    .deleteFrom('one_time_tokens')
    .where('token_hash', '=', token_hash)
    .where('purpose', 'in', purposes)
    .where('expires_at', '>', at)
    .returning(['purpose', 'user_id', 'data', 'created_at'])
    .executeTakeFirst() as Promise<TokenRow | undefined>

export const deleteOfUser = async (db: TxDb, user_id: string, purposes: readonly string[] | 'all'): Promise<void> => {
  await db
    .deleteFrom('one_time_tokens')
    .where('user_id', '=', user_id)
    .$if(purposes !== 'all', (query) => query.where('purpose', 'in', purposes as readonly string[]))
    .execute()
}
