import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'
import type { Verb } from './schema.ts'

export interface BulkRow {
  readonly id: string
  readonly workspace_id: string
  readonly verb: Verb
  readonly options: { readonly node_id?: string; readonly version?: number }
  readonly asked_by: string | null
  readonly impersonator_id: string | null
  readonly total: number
  readonly created_at: string
  readonly finished_at: string | null
}

export interface ItemRow {
  readonly nth: number
  readonly execution_id: string
  readonly ok: boolean | null
  readonly code: string | null
  readonly new_execution_id: string | null
}

const columns = ['id', 'workspace_id', 'verb', 'options', 'asked_by', 'impersonator_id', 'total', 'created_at', 'finished_at'] as const

/** Of those ids the ones that are executions of the caller's workspace. */
export const knownAmong = async (db: ReadDb, ids: readonly string[]): Promise<ReadonlySet<string>> => {
  const { rows } = await sql<{ id: string }>`
    select id from executions
    where id = any(${ids}::uuid[]) and mode <> 'job'`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** So many of the workspace are under way. */
export const countOpen = async (db: ReadDb, workspace_id: string): Promise<number> => {
  const { open } = await db
    .selectFrom('workflow_bulks')
    .select((of) => of.fn.countAll<number>().as('open'))
    .where('workspace_id', '=', workspace_id)
    .where('finished_at', 'is', null)
    .executeTakeFirstOrThrow()
  return open
}

export const deleteOld = async (db: TxDb, workspace_id: string, before: string): Promise<void> => {
  await db.deleteFrom('workflow_bulks').where('workspace_id', '=', workspace_id).where('created_at', '<', before).execute()
}

export const insertBulk = async (
  db: TxDb,
  row: Omit<BulkRow, 'finished_at'>,
  items: readonly { readonly execution_id: string; readonly code: string | null }[],
): Promise<void> => {
  await db
    .insertInto('workflow_bulks')
    .values({ ...row, options: { ...row.options } })
    .execute()
  await sql`
    insert into workflow_bulk_items (bulk_id, nth, workspace_id, execution_id, ok, code)
    select ${row.id}::uuid, i.nth, ${row.workspace_id}::uuid, i.execution_id, case when i.code is not null then false end, i.code
    from unnest(${items.map(({ execution_id }) => execution_id)}::uuid[], ${items.map(({ code }) => code)}::text[])
      with ordinality as i (execution_id, code, nth)`.execute(db)
}

export const bulkById = (db: ReadDb, id: string): Promise<BulkRow | undefined> =>
  db.selectFrom('workflow_bulks').select(columns).where('id', '=', id).$castTo<BulkRow>().executeTakeFirst()

export const countItems = async (db: ReadDb, id: string): Promise<{ readonly succeeded: number; readonly failed: number }> => {
  const { rows } = await sql<{ succeeded: number; failed: number }>`
    select count(*) filter (where ok) as succeeded, count(*) filter (where not ok) as failed
    from workflow_bulk_items
    where bulk_id = ${id}`.execute(db)
  return rows[0] ?? { succeeded: 0, failed: 0 }
}

export const itemsOf = (db: ReadDb, id: string, from: number, limit: number): Promise<readonly ItemRow[]> =>
  db
    .selectFrom('workflow_bulk_items')
    .select(['nth', 'execution_id', 'ok', 'code', 'new_execution_id'])
    .where('bulk_id', '=', id)
    .where('nth', '>=', from)
    .orderBy('nth')
    .limit(limit)
    .execute()

/** The next ones whose turn it is. */
export const openItems = (db: ReadDb, id: string, limit: number): Promise<readonly Pick<ItemRow, 'nth' | 'execution_id'>[]> =>
  db
    .selectFrom('workflow_bulk_items')
    .select(['nth', 'execution_id'])
    .where('bulk_id', '=', id)
    .where('ok', 'is', null)
    .orderBy('nth')
    .limit(limit)
    .execute()

export interface ItemOutcome {
  readonly ok: boolean
  readonly code: string | null
  readonly new_execution_id: string | null
}

/** Notes what came of an item, once: false when somebody has before. */
export const settleItem = async (db: TxDb, id: string, nth: number, outcome: ItemOutcome): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('workflow_bulk_items')
    .set(outcome)
    .where('bulk_id', '=', id)
    .where('nth', '=', nth)
    .where('ok', 'is', null)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export const finishBulk = async (db: TxDb, id: string, at: string): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('workflow_bulks')
    .set({ finished_at: at })
    .where('id', '=', id)
    .where('finished_at', 'is', null)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}
