import { sql } from 'kysely'
import { Type, type Static } from 'typebox'
import type { ReadDb } from '../../platform/database/open.ts'
import { type Durations, quantile } from './durations.ts'

const Time = Type.String({ format: 'date-time' })
const Count = Type.Integer({ minimum: 0 })
const Quantiles = Type.Object(
  { p50: Type.Union([Count, Type.Null()]), p95: Type.Union([Count, Type.Null()]) },
  { description: 'Milliseconds, to within 5 %; null where nothing was measured.' },
)

const outcomes = { executions: Count, succeeded: Count, failed: Count, cancelled: Count, timed_out: Count }

export const WorkflowStatistics = Type.Object(
  {
    from: Time,
    to: Time,
    bucket: Type.Union([Type.Literal('hour'), Type.Literal('day')]),
    counted_at: Type.Union([Time, Type.Null()], { description: 'What ended before that is counted: once a minute.' }),
    ...outcomes,
    success_rate: Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()], { description: 'Null where nothing has ended.' }),
    rate_per_hour: Type.Number({ minimum: 0 }),
    duration_ms: Quantiles,
    by_bucket: Type.Array(Type.Object({ at: Time, ...outcomes, duration_ms: Quantiles }), {
      description: 'Hours or days, in UTC, in which executions have ended; those without any are left out.',
    }),
    sampled: Type.Integer({
      minimum: 0,
      description: 'Executions whose steps were looked at for `nodes`: the last hundred of each minute.',
    }),
    nodes: Type.Array(
      Type.Object({
        node_id: Type.String(),
        runs: Type.Integer({
          minimum: 0,
          description: 'Of the node, in the executions that were looked at; without those to be tried again.',
        }),
        failed: Count,
        retried: Count,
        duration_ms: Quantiles,
      }),
    ),
  },
  { title: 'WorkflowStatistics' },
)
export type WorkflowStatistics = Static<typeof WorkflowStatistics>

export interface StatisticsRange {
  readonly workflow_id: string
  /** Full hours, Unix milliseconds. */
  readonly from: number
  readonly to: number
  readonly bucket: 'hour' | 'day'
}

interface Row {
  readonly at: string
  readonly node_id: string
  readonly status: string
  readonly bucket: number
  readonly n: number
}

const sum = (rows: readonly Row[], ...statuses: readonly string[]): number =>
  rows.reduce((total, { status, n }) => total + (statuses.includes(status) ? n : 0), 0)

const durationsOf = (
  rows: readonly Row[],
  ...statuses: readonly string[]
): { readonly p50: number | null; readonly p95: number | null } => {
  const durations = new Map<number, number>()
  for (const { status, bucket, n } of rows) if (statuses.includes(status)) durations.set(bucket, (durations.get(bucket) ?? 0) + n)
  const found: Durations = durations
  return { p50: quantile(found, 0.5), p95: quantile(found, 0.95) }
}

const ends = ['succeeded', 'failed', 'cancelled', 'timed_out'] as const

const outcomesOf = (rows: readonly Row[]) => ({
  executions: sum(rows, ...ends),
  succeeded: sum(rows, 'succeeded'),
  failed: sum(rows, 'failed'),
  cancelled: sum(rows, 'cancelled'),
  timed_out: sum(rows, 'timed_out'),
  duration_ms: durationsOf(rows, ...ends),
})

const hour_ms = 3_600_000

/** Up to when ends of executions are counted, in the system's scope; null before the first time. */
export const countedAt = async (db: ReadDb): Promise<string | null> => {
  const row = await db.selectFrom('engine_statistics_cursor').select('counted_at').executeTakeFirst()
  return row?.counted_at ?? null
}

/** Of a workflow of the caller's workspace. */
export const readStatistics = async (
  db: ReadDb,
  { workflow_id, from, to, bucket }: StatisticsRange,
): Promise<Omit<WorkflowStatistics, 'counted_at'>> => {
  const [since, until] = [from, to].map((ms) => new Date(ms).toISOString()) as [string, string]
  const { rows } = await sql<Row>`
    select
      date_trunc(case when node_id = '' then ${bucket} else 'century' end, hour, 'UTC') as at,
      node_id,
      status,
      bucket,
      sum(n)::int8 as n
    from engine_statistics
    where workflow_id = ${workflow_id} and hour >= ${since} and hour < ${until}
    group by 1, 2, 3, 4
    order by 1`.execute(db)
  const whole = rows.filter(({ node_id }) => node_id === '')
  const total = outcomesOf(whole)
  const byTime = Map.groupBy(
    whole.filter(({ status }) => status !== 'sampled'),
    ({ at }) => at,
  )
  const byNode = Map.groupBy(
    rows.filter(({ node_id }) => node_id !== ''),
    ({ node_id }) => node_id,
  )
  return {
    ...{ from: since, to: until, bucket },
    ...total,
    success_rate: total.executions === 0 ? null : total.succeeded / total.executions,
    rate_per_hour: total.executions / ((to - from) / hour_ms),
    by_bucket: [...byTime].map(([at, some]) => ({ at, ...outcomesOf(some) })),
    sampled: sum(whole, 'sampled'),
    nodes: [...byNode]
      .map(([node_id, some]) => ({
        node_id,
        runs: sum(some, 'succeeded', 'failed'),
        failed: sum(some, 'failed'),
        retried: sum(some, 'retried'),
        duration_ms: durationsOf(some, 'succeeded', 'failed'),
      }))
      .toSorted((a, b) => (a.node_id < b.node_id ? -1 : 1)),
  }
}
