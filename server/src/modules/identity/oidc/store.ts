import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface IdentityRow {
  readonly id: string
  readonly user_id: string
  readonly issuer: string
  readonly subject: string
  readonly provider: string | null
  readonly email: string | null
  readonly created_at: string
  readonly last_used_at: string
}

const columns = ['id', 'user_id', 'issuer', 'subject', 'provider', 'email', 'created_at', 'last_used_at'] as const

export const find = (db: ReadDb, issuer: string, subject: string): Promise<IdentityRow | undefined> =>
  db.selectFrom('identities').select(columns).where('issuer', '=', issuer).where('subject', '=', subject).executeTakeFirst()

/** One at a time decides whose an identity is, until the transaction ends. */
export const lockIdentity = async (db: TxDb, issuer: string, subject: string): Promise<void> => {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`millrace.identity.${issuer} ${subject}`}, 0))`.execute(db)
}

export const insert = async (db: TxDb, identity: IdentityRow): Promise<void> => {
  await db.insertInto('identities').values(identity).execute()
}

export const see = async (db: TxDb, id: string, email: string | null, at: string): Promise<void> => {
  await db.updateTable('identities').set({ email, last_used_at: at }).where('id', '=', id).execute()
}

export const ofUser = (db: ReadDb, user_id: string): Promise<readonly IdentityRow[]> =>
  db.selectFrom('identities').select(columns).where('user_id', '=', user_id).orderBy('id').execute()

export const remove = async (db: TxDb, user_id: string, id: string): Promise<void> => {
  await db.deleteFrom('identities').where('user_id', '=', user_id).where('id', '=', id).execute()
}

/** Whether there is a password or a passkey. */
export const hasOtherWayIn = async (db: ReadDb, user_id: string): Promise<boolean> => {
  const { rows } = await sql<{ has: boolean }>`
    select
      exists (select from user_passwords where user_id = ${user_id})
      or exists (select from passkeys where user_id = ${user_id}) as has`.execute(db)
  return rows[0]?.has === true
}

export const removeAll = (db: TxDb, user_id: string): Promise<readonly IdentityRow[]> =>
  db.deleteFrom('identities').where('user_id', '=', user_id).returning(columns).execute()
