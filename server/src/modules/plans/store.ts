import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'

export interface UsageKey {
  readonly workspace_id: string
  readonly feature: string
  readonly period_start: string
}

export interface Spending {
  /** Of each of `count` uses. */
  readonly amount: number
  readonly count: number
  readonly limit: number
}

/**
 * Takes as many of `count` uses as the limit leaves room for, and answers how many those are and what is used then. One statement: whoever
 * else takes at the same moment waits for this row, and looks at it as it is afterwards.
 */
export const spend = async (
  db: TxDb,
  key: UsageKey,
  { amount, count, limit }: Spending,
): Promise<{ readonly granted: number; readonly used: number }> => {
  const { rows } = await sql<{ before: number; used: number }>`
    insert into plan_usage as u (workspace_id, feature, period_start, used)
    select ${key.workspace_id}::uuid, ${key.feature}, ${key.period_start}::timestamptz, ${amount}::bigint * least(${count}::bigint, ${limit}::bigint / ${amount}::bigint)
    where ${amount}::bigint <= ${limit}::bigint
    on conflict (workspace_id, feature, period_start) do update
    set used = u.used + ${amount}::bigint * least(${count}::bigint, (${limit}::bigint - u.used) / ${amount}::bigint)
    where u.used + ${amount}::bigint <= ${limit}::bigint
    returning coalesce(old.used, 0) as before, new.used`.execute(db)
  const [row] = rows
  if (row === undefined) return { granted: 0, used: await usedOf(db, key) }
  return { granted: (row.used - row.before) / amount, used: row.used }
}

export const usedOf = async (db: ReadDb, key: UsageKey): Promise<number> => {
  const row = await db
    .selectFrom('plan_usage')
    .select('used')
    .where('workspace_id', '=', key.workspace_id)
    .where('feature', '=', key.feature)
    .where('period_start', '=', key.period_start)
    .executeTakeFirst()
  return row?.used ?? 0
}

/** What a workspace has used of everything in a period. */
export const usageOf = (db: ReadDb, workspace_id: string, period_start: string): Promise<readonly { feature: string; used: number }[]> =>
  db
    .selectFrom('plan_usage')
    .select(['feature', 'used'])
    .where('workspace_id', '=', workspace_id)
    .where('period_start', '=', period_start)
    .execute()

export const giveBack = async (db: TxDb, key: UsageKey, amount: number): Promise<void> => {
  await sql`
    update plan_usage
    set used = greatest(0, used - ${amount}::bigint)
    where workspace_id = ${key.workspace_id}
      and feature = ${key.feature}
      and period_start = ${key.period_start}`.execute(db)
}

/** Holds everybody off who adds to the same thing, until the transaction ends. */
export const lock = async (db: TxDb, name: string): Promise<void> => {
  await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(db)
}

export interface Notice {
  readonly workspace_id: string
  readonly subject_id: string
  readonly feature: string
  readonly kind: 'near' | 'reached'
  readonly period_start: string
}

/** False when it was said before. */
export const insertNotice = async (db: TxDb, notice: Notice, created_at: string): Promise<boolean> => {
  const row = await db
    .insertInto('plan_notices')
    .values({ ...notice, created_at })
    .onConflict((conflict) => conflict.doNothing())
    .returning('feature')
    .executeTakeFirst()
  return row !== undefined
}

/** Takes away what was said of a workspace before a time. */
export const removeNotices = async (db: TxDb, workspace_id: string, before: string): Promise<void> => {
  await db.deleteFrom('plan_notices').where('workspace_id', '=', workspace_id).where('period_start', '<', before).execute()
}

/** Takes away everything of a workspace. */
export const removeWorkspace = async (db: TxDb, workspace_id: string): Promise<void> => {
  await db.deleteFrom('plan_usage').where('workspace_id', '=', workspace_id).execute()
  await db.deleteFrom('plan_notices').where('workspace_id', '=', workspace_id).execute()
}

/** What was said of the limits of a user. */
export const noticesOf = (db: ReadDb, user_id: string): Promise<readonly object[]> =>
  db
    .selectFrom('plan_notices')
    .select(['feature', 'kind', 'period_start'])
    .where('subject_id', '=', user_id)
    .orderBy('period_start')
    .execute()

export const removeNoticesOf = async (db: TxDb, user_id: string): Promise<void> => {
  await db.deleteFrom('plan_notices').where('subject_id', '=', user_id).execute()
}
