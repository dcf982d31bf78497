import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Ctx, TxCtx } from '../../platform/context.ts'
import { codeOf } from '../../platform/database/errors.ts'
import { executionsByRule, isKept, type Rules } from './rules.ts'
import { listRetired, type Retired, retiredName, type Week } from './weeks.ts'

/** What may be moved out of a week that is dropped: nothing is written to the journal meanwhile, which takes some ten milliseconds for these. */
const most_moved = { executions: 2_000, bytes: 8 * 1024 * 1024 }

/** So long the journal waits at most, once, for us to be let in; if that does not do, it has its way and we come again. */
const lock_timeout = '200ms'
const tries = 20

/** A whole week is read, which may be hundreds of millions of rows. */
const takeTime = ({ db }: TxCtx) => sql`set local statement_timeout = '1h'`.execute(db)

/** What is to be kept of a week; null: more than may be moved. */
export const keptOf = async (ctx: Ctx, rules: Rules, { lower, upper }: Week): Promise<readonly string[] | null> =>
  ctx.tx(async (tx) => {
    await takeTime(tx)
    const { rows } = await sql<{ id: string }>`
      select e.id
      from ${executionsByRule(rules)}
      where e.id >= ${lower} and e.id < ${upper} and ${isKept(rules)}
      limit ${most_moved.executions + 1}`.execute(tx.db)
    if (rows.length > most_moved.executions) return null
    const ids = rows.map(({ id }) => id)
    const { rows: sizes } = await sql<{ bytes: number }>`
      select coalesce(sum(pg_column_size(body)), 0)::int8 as bytes
      from execution_records
      where execution_id = any(${ids}::uuid[])`.execute(tx.db)
    return (sizes[0]?.bytes ?? 0) > most_moved.bytes ? null : ids
  })

/**
 * Takes a week out of the journal, in one transaction that puts what is to be kept into the default partition, where it is found and goes on
 * as before. What has not ended is looked for once more, under the lock. False when it was not let in, or somebody else does it.
 */
export const retireWeek = async (ctx: Ctx, week: Week, kept: readonly string[]): Promise<boolean> => {
  for (let tried = 1; tried <= tries; tried += 1) {
    try {
      return await ctx.tx((tx) => retire(tx, week, kept))
    } catch (error) {
      if (codeOf(error) !== '55P03') throw error
      await pause(50 + Math.random() * 450, undefined, { signal: ctx.signal })
    }
  }
  ctx.log.warn(
    { tables: week.tables },
    'a week of history could not be dropped, because others read it all the time; it will be tried again',
  )
  return false
}

const retire = async (tx: TxCtx, { tables }: Week, kept: readonly string[]): Promise<boolean> => {
  const { db } = tx
  await sql`set local lock_timeout = ${sql.lit(lock_timeout)}`.execute(db)
  await sql`lock table only executions, only execution_records in access exclusive mode`.execute(db)
  const retired: string[] = []
  for (const table of tables) {
    const { rows } = await sql<{ retired: boolean }>`select millrace.retire_partition(${table}) as retired`.execute(db)
    if (rows[0]?.retired === true) retired.push(table)
  }
  const executions = retired.find((table) => table.startsWith('executions_'))
  const records = retired.find((table) => table.startsWith('execution_records_'))
  if (executions === undefined) return retired.length > 0
  const { rows: back } = await sql<{ id: string }>`
    insert into executions
    select * from ${sql.table(retiredName(executions))}
    where finished_at is null or id = any(${[...kept]}::uuid[])
    returning id`.execute(db)
  if (records === undefined) return true
  await sql`
    insert into execution_records
    select * from ${sql.table(retiredName(records))}
    where execution_id = any(${back.map(({ id }) => id)}::uuid[])`.execute(db)
  return true
}

/**
 * Drops the weeks that were taken out, and answers how many executions went with them. Before that they are looked through once more: what
 * began and ended under an old id between the first look and the lock has ended for good, so it can be put back at any time.
 */
export const dropRetired = async (ctx: Ctx, rules: Rules): Promise<number> => {
  let removed = 0
  for (const pair of await listRetired(ctx)) removed += await ctx.tx((tx) => dropPair(tx, rules, pair))
  return removed
}

const dropPair = async (tx: TxCtx, rules: Rules, { executions, records }: Retired): Promise<number> => {
  const tables = [executions, records].filter((table) => table !== null)
  await takeTime(tx)
  const { rows } = await sql<{ mine: boolean }>`
    select pg_try_advisory_xact_lock(hashtext(${tables[0] ?? ''})) and to_regclass(${`public.${tables[0] ?? ''}`}) is not null as mine`.execute(
    tx.db,
  )
  // Another process is at it, or has been.
  if (rows[0]?.mine !== true) return 0
  const removed = executions === null ? 0 : await putBack(tx, rules, executions, records)
  for (const table of tables) await sql`select millrace.drop_retired(${table})`.execute(tx.db)
  return removed
}

const putBack = async ({ db }: TxCtx, rules: Rules, executions: string, records: string | null): Promise<number> => {
  const { rows } = await sql<{ total: number; missed: string[] }>`
    select
      count(*) filter (where x.id is null) as total,
      coalesce(array_agg(e.id) filter (where x.id is null and ${isKept(rules)}), '{}') as missed
    from ${executionsByRule(rules, executions)}
    left join executions as x on x.id = e.id`.execute(db)
  const { total = 0, missed = [] } = rows[0] ?? {}
  if (missed.length === 0) return total
  await sql`
    insert into executions
    select * from ${sql.table(executions)}
    where id = any(${missed}::uuid[])
    on conflict do nothing`.execute(db)
  if (records !== null)
    await sql`
      insert into execution_records
      select * from ${sql.table(records)}
      where execution_id = any(${missed}::uuid[])
      on conflict do nothing`.execute(db)
  return total - missed.length
}
