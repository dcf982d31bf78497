import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Ctx, TxCtx } from '../../platform/context.ts'
import { executionsByRule, isKept, type Rules, type Short } from './rules.ts'

/** Executions looked at in one transaction, and the time between two: the journal has its share of the disk. */
const batch = { executions: 500, pause_ms: 50 }

export interface Range {
  readonly lower: string
  readonly upper: string
}

/** Removes what is over, a little at a time; answers how many. */
export const deleteOver = async (ctx: Ctx, rules: Rules, which: Short['which'], { lower, upper }: Range): Promise<number> => {
  let removed = 0
  for (let after = lower; ;) {
    ctx.signal.throwIfAborted()
    const from = after
    const { looked, gone, last } = await ctx.tx((tx) => deleteSome(tx, rules, which, { lower: from, upper }))
    removed += gone
    if (looked < batch.executions || last === null) return removed
    after = last
    if (gone > 0) await pause(batch.pause_ms, undefined, { signal: ctx.signal })
  }
}

const deleteSome = async ({ db }: TxCtx, rules: Rules, which: Short['which'], { lower, upper }: Range) => {
  const { rows } = await sql<{ id: string; kept: boolean }>`
    select e.id, ${isKept(rules)} as kept
    from ${executionsByRule(rules)}
    where ${which} and e.id > ${lower} and e.id < ${upper}
    order by e.id
    limit ${batch.executions}`.execute(db)
  const over = rows.filter(({ kept }) => !kept).map(({ id }) => id)
  const last = rows.at(-1)?.id ?? null
  if (over.length === 0) return { looked: rows.length, gone: 0, last }
  // Somebody may have had it go on meanwhile.
  const { rows: deleted } = await sql<{ id: string }>`
    delete from executions
    where id = any(${over}::uuid[]) and finished_at is not null
    returning id`.execute(db)
  const gone = deleted.map(({ id }) => id)
  await sql`delete from execution_records where execution_id = any(${gone}::uuid[])`.execute(db)
  await sql`delete from engine_waits where execution_id = any(${gone}::uuid[])`.execute(db)
  await sql`delete from engine_calls where execution_id = any(${gone}::uuid[])`.execute(db)
  await sql`delete from engine_forks where execution_id = any(${gone}::uuid[])`.execute(db)
  return { looked: rows.length, gone: gone.length, last }
}

/** What refers to executions that are no more, after whole weeks of them have gone at once. */
export const deleteOrphans = async (ctx: Ctx, before: string): Promise<void> => {
  await inBatches(ctx, (tx) =>
    sql`
    delete from engine_calls
    where execution_id in (
      select c.execution_id
      from engine_calls as c
      where c.execution_id < ${before}
        and not exists (select from executions as e where e.id = c.execution_id)
        and not exists (select from executions as p where p.id = c.parent_execution_id and p.finished_at is null)
      limit ${batch.executions}
    )`.execute(tx.db),
  )
  await inBatches(ctx, (tx) =>
    sql`
    delete from engine_waits
    where (execution_id, path) in (
      select w.execution_id, w.path
      from engine_waits as w
      where w.execution_id < ${before}
        and not exists (select from executions as e where e.id = w.execution_id)
      limit ${batch.executions}
    )`.execute(tx.db),
  )
  await inBatches(ctx, (tx) =>
    sql`
    delete from engine_forks
    where execution_id in (
      select f.execution_id
      from engine_forks as f
      where f.execution_id < ${before}
        and not exists (select from executions as e where e.id = f.execution_id)
      limit ${batch.executions}
    )`.execute(tx.db),
  )
}

/** A key under which an execution was started that is no more starts another. */
export const deleteKeys = (ctx: Ctx, before: string): Promise<void> =>
  inBatches(ctx, (tx) =>
    sql`
    delete from engine_starts
    where (workflow_id, key) in (
      select s.workflow_id, s.key
      from engine_starts as s
      where s.expires_at < ${new Date(ctx.now()).toISOString()}
        or (s.execution_id < ${before} and not exists (select from executions as e where e.id = s.execution_id))
      limit ${batch.executions}
    )`.execute(tx.db),
  )

/** Figures outlast what they were counted from: a year can be compared with the one before, of a month more. */
const statistics_kept_ms = 400 * 86_400_000

export const deleteStatistics = (ctx: Ctx): Promise<void> =>
  inBatches(ctx, (tx) =>
    sql`
      delete from engine_statistics
      where ctid = any(array(
        select ctid
        from engine_statistics
        where hour < ${new Date(ctx.now() - statistics_kept_ms).toISOString()}
        limit ${batch.executions}
      ))`.execute(tx.db),
  )

const inBatches = async (ctx: Ctx, remove: (tx: TxCtx) => Promise<{ readonly numAffectedRows?: bigint }>): Promise<void> => {
  for (;;) {
    ctx.signal.throwIfAborted()
    const { numAffectedRows = 0n } = await ctx.tx(remove)
    if (Number(numAffectedRows) < batch.executions) return
    await pause(batch.pause_ms, undefined, { signal: ctx.signal })
  }
}
