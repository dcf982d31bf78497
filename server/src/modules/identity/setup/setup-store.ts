import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export const insertToken = async (
  db: TxDb,
  token: { readonly token_hash: string; readonly created_at: string; readonly expires_at: string },
): Promise<void> => {
  await db.deleteFrom('setup_tokens').where('expires_at', '<', token.created_at).execute()
  await db.insertInto('setup_tokens').values(token).execute()
}

export const findToken = (db: ReadDb, token_hash: string, at: string): Promise<{ token_hash: string } | undefined> =>
  db.selectFrom('setup_tokens').select('token_hash').where('token_hash', '=', token_hash).where('expires_at', '>', at).executeTakeFirst()

export const deleteTokens = async (db: TxDb): Promise<void> => {
  await db.deleteFrom('setup_tokens').execute()
}

/** One set-up at a time in the whole installation, until the transaction ends: two links could otherwise make two admins. */
export const lockSetup = async (db: TxDb): Promise<void> => {
  await sql`select pg_advisory_xact_lock(hashtextextended('millrace.setup', 0))`.execute(db)
}
