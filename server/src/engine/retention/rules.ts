import { sql } from 'kysely'
import { firstId } from '../../lib/id.ts'
import type { Ctx } from '../../platform/context.ts'
import { jobTypes } from '../job-types.ts'
import { settings } from '../settings.ts'

const day_ms = 86_400_000

/** How long executions are kept after their end. Days; null: for ever. */
export interface Rules {
  /** Unix milliseconds. */
  readonly now: number
  readonly live: number | null
  /** At most, of trial runs. */
  readonly test: number | null
  readonly job: number | null
  /** Of workflows that say it themselves, in the version that was published last. */
  readonly own: ReadonlyMap<string, number>
  readonly job_ids: readonly string[]
}

const daysOf = (setting: number): number | null => (setting === 0 ? null : setting)

export const readRules = async (ctx: Ctx): Promise<Rules> => {
  const { retention_days, test_retention_days, job_retention_days } = ctx.settings(settings)
  const { rows } = await ctx.tx((tx) =>
    sql<{ workflow_id: string; retention_days: number }>`
      select workflow_id, retention_days
      from (
        select distinct on (workflow_id) workflow_id, retention_days
        from engine_versions
        order by workflow_id, version desc
      ) as latest
      where retention_days is not null`.execute(tx.db),
  )
  return {
    now: ctx.now(),
    live: daysOf(retention_days),
    test: daysOf(test_retention_days),
    job: daysOf(job_retention_days),
    own: new Map(rows.map((row) => [row.workflow_id, row.retention_days])),
    job_ids: [...ctx.use(jobTypes).keys()],
  }
}

/** Every execution that began with this id or a later one is to be kept by all of the rules; null: no rule removes anything. */
export const firstKept = ({ now, live, test, job, own }: Rules): string | null => {
  const days = [live, test, job, ...own.values()].filter((some) => some !== null)
  return days.length === 0 ? null : firstId(now - Math.min(...days) * day_ms)
}

/** Whether a row `e` of `executionsByRule` is to be kept: one that has not ended is, and what an unfinished one has called. */
export const isKept = ({ now, live, test, job }: Rules) => sql<boolean>`(
  coalesce(
    e.finished_at >= ${new Date(now).toISOString()}::timestamptz - make_interval(days => case e.mode
      when 'job' then ${job}::int
      when 'test' then least(${test}::int, coalesce(own.days, ${live}::int))
      else coalesce(own.days, ${live}::int)
    end),
    true
  )
  or exists (
    select
    from engine_calls as c
    join executions as p on p.id = c.parent_execution_id
    where c.execution_id = e.id and p.finished_at is null
  )
)`

/** Rows of a table that is made like `executions`, each with the days that its own workflow gives. */
export const executionsByRule = ({ own }: Rules, table = 'executions') => sql`
  ${sql.table(table)} as e
  left join unnest(${[...own.keys()]}::uuid[], ${[...own.values()]}::int[]) as own (workflow_id, days) on own.workflow_id = e.workflow_id`

/** What is kept shorter than most: where it is found, and the id from which on none of it is over. */
export interface Short {
  readonly which: ReturnType<typeof sql<boolean>>
  readonly before: string
}

export const shortOnes = ({ now, live, test, job, own, job_ids }: Rules): readonly Short[] => {
  const isShort = (days: number): boolean => live === null || days < live
  const before = (days: number): string => firstId(now - days * day_ms)
  const ofWorkflow = (id: string, days: number): Short => ({ which: sql<boolean>`e.workflow_id = ${id}`, before: before(days) })
  return [
    ...[...own].filter(([, days]) => isShort(days)).map(([id, days]) => ofWorkflow(id, days)),
    ...(test !== null && isShort(test) ? [{ which: sql<boolean>`e.mode = 'test'`, before: before(test) }] : []),
    ...(job !== null && isShort(job) ? job_ids.map((id) => ofWorkflow(id, job)) : []),
  ]
}

/** The id before which all executions are over that no workflow keeps for longer; null: they are kept for ever. */
export const mostOver = ({ now, live }: Rules): string | null => (live === null ? null : firstId(now - live * day_ms))
