import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'
import type { PersonalExport } from './schema.ts'

const columns = ['id', 'status', 'size_bytes', 'created_at', 'finished_at', 'expires_at'] as const

/** Undefined while another export of the same account is running. */
export const insertExport = async (
  db: TxDb,
  row: { readonly id: string; readonly user_id: string; readonly created_at: string },
): Promise<PersonalExport | undefined> =>
  await db
    .insertInto('personal_exports')
    .values({ ...row, status: 'running' })
    .onConflict((conflict) => conflict.doNothing())
    .returning(columns)
    .executeTakeFirst()

export const exportsOf = async (db: ReadDb, user_id: string): Promise<readonly PersonalExport[]> =>
  await db.selectFrom('personal_exports').select(columns).where('user_id', '=', user_id).orderBy('id', 'desc').execute()

export const exportById = async (db: ReadDb, id: string): Promise<(PersonalExport & { readonly user_id: string }) | undefined> =>
  await db
    .selectFrom('personal_exports')
    .select([...columns, 'user_id'])
    .where('id', '=', id)
    .executeTakeFirst()

export const finishExport = async (
  db: TxDb,
  id: string,
  end: {
    readonly status: 'ready' | 'failed'
    readonly size_bytes: number | null
    readonly finished_at: string
    readonly expires_at: string
  },
): Promise<void> => {
  await db.updateTable('personal_exports').set(end).where('id', '=', id).execute()
}

export const deleteExport = async (db: TxDb, id: string): Promise<void> => {
  await db.deleteFrom('personal_exports').where('id', '=', id).execute()
}

export const deleteParts = async (db: TxDb, export_id: string): Promise<void> => {
  await db.deleteFrom('personal_export_parts').where('export_id', '=', export_id).execute()
}

export const insertPart = async (
  db: TxDb,
  part: { readonly export_id: string; readonly seq: number; readonly body: string },
): Promise<void> => {
  await db.insertInto('personal_export_parts').values(part).execute()
}

export const partOf = (db: ReadDb, export_id: string, seq: number): Promise<{ body: string } | undefined> =>
  db.selectFrom('personal_export_parts').select('body').where('export_id', '=', export_id).where('seq', '=', seq).executeTakeFirst()

export const deleteUser = async (db: TxDb, id: string): Promise<void> => {
  await db.deleteFrom('users').where('id', '=', id).execute()
}

/** When an account was erased; undefined when that is so long ago that the log does not know. Reads the log from its end. */
export const erasedAt = async (db: ReadDb, user_id: string): Promise<string | undefined> => {
  const { rows } = await sql<{ created_at: string }>`
    select created_at
    from events
    where name = 'users.erased' and data ->> 'user_id' = ${user_id}::text
    order by seq desc
    limit 1`.execute(db)
  return rows[0]?.created_at
}

/** The events that somebody caused or that are about their account, where they came from included. Reads the whole log, which is for a job to do. */
export const deleteEvents = async (db: TxDb, user_id: string): Promise<number> => {
  const { rows } = await sql<{ count: number }>`
    with gone as (
      delete from events
      where (actor_id = ${user_id} or data ->> 'user_id' = ${user_id}::text)
        and name <> 'users.erased'
      returning 1
    )
    select count(*) as count
    from gone`.execute(db)
  return rows[0]?.count ?? 0
}
