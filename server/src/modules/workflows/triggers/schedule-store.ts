import { sql } from 'kysely'
import type { Recurrence } from '../../../engine/timetable.ts'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export type Missed = 'skip' | 'once' | 'all'

export interface ScheduleRow {
  readonly workflow_id: string
  readonly node_id: string
  readonly workspace_id: string
  readonly version: number
  readonly recurrence: Recurrence
  readonly missed: Missed
  readonly next_at: string | null
  /** When it would have fired next; while its workflow is paused. */
  readonly held_at: string | null
}

const columns = ['workflow_id', 'node_id', 'workspace_id', 'version', 'recurrence', 'missed', 'next_at', 'held_at'] as const

export const schedulesOf = (db: ReadDb, workflow_id: string): Promise<readonly ScheduleRow[]> =>
  db.selectFrom('workflow_schedules').select(columns).where('workflow_id', '=', workflow_id).$castTo<ScheduleRow>().execute()

/** Of several workflows: when each schedule fires next. */
export const nextTimes = (
  db: ReadDb,
  workflow_ids: readonly string[],
): Promise<readonly Pick<ScheduleRow, 'workflow_id' | 'node_id' | 'next_at'>[]> =>
  db
    .selectFrom('workflow_schedules')
    .select(['workflow_id', 'node_id', 'next_at'])
    .where(sql<boolean>`workflow_id = any(${workflow_ids}::uuid[])`)
    .execute()

export const deleteSchedules = async (db: TxDb, workflow_id: string): Promise<void> => {
  await db.deleteFrom('workflow_schedules').where('workflow_id', '=', workflow_id).execute()
}

/** None of them fires; where they stood is kept. */
export const holdSchedules = async (db: TxDb, workflow_id: string): Promise<void> => {
  await db
    .updateTable('workflow_schedules')
    .set((of) => ({ held_at: of.ref('next_at'), next_at: null }))
    .where('workflow_id', '=', workflow_id)
    .where('next_at', 'is not', null)
    .execute()
}

export const insertSchedules = async (db: TxDb, rows: readonly ScheduleRow[]): Promise<void> => {
  if (rows.length === 0) return
  await db
    .insertInto('workflow_schedules')
    .values(rows.map((row) => ({ ...row, recurrence: { ...row.recurrence } })))
    .execute()
}

/** Some that are due and that no other process is about to fire, locked. */
export const lockDue = (db: TxDb, now: string, limit: number): Promise<readonly ScheduleRow[]> =>
  db
    .selectFrom('workflow_schedules')
    .select(columns)
    .where('next_at', '<=', now)
    .orderBy('next_at')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .$castTo<ScheduleRow>()
    .execute()

export const moveOn = async (db: TxDb, { workflow_id, node_id }: ScheduleRow, next_at: string | null): Promise<void> => {
  await db
    .updateTable('workflow_schedules')
    .set({ next_at })
    .where('workflow_id', '=', workflow_id)
    .where('node_id', '=', node_id)
    .execute()
}

/** When the next schedule of all is due; null when there is none. */
export const soonest = async (db: ReadDb): Promise<string | null> => {
  const row = await db
    .selectFrom('workflow_schedules')
    .select((of) => of.fn.min('next_at').as('next_at'))
    .where('next_at', 'is not', null)
    .executeTakeFirst()
  return row?.next_at ?? null
}
