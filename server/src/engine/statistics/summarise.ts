import { sql } from 'kysely'
import { Type } from 'typebox'
import type { Ctx, TxCtx } from '../../platform/context.ts'
import type { Step } from '../graph/plan.ts'
import { defineJob } from '../job.ts'
import type { RecordBody } from '../journal/record.ts'
import { bucketOf, bucketSql } from './durations.ts'

/** Transactions counted at a time, of a backlog. */
const most_transactions = 5_000

/** Executions whose steps are looked at, for each time it is counted: of one workflow, and of all. */
const sample = { of_workflow: 100, of_all: 2_000 }
/** Of one execution: its first records, where they are not large. One that is a file counts no steps: its row has none. */
const read = { records: 20, bytes: 65_536 }

/** Where the counting stands, and up to where it goes now; undefined while another process counts. */
interface Window {
  readonly old: string
  readonly next: string
  readonly more: boolean
}

/**
 * A snapshot says exactly what was counted: what is visible in the new one and was not in the old one is counted now, in the transaction that
 * moves the cursor. A cursor from another cluster, as a restored dump brings it, is ahead of all transactions: it begins anew from now on.
 */
const nextWindow = async ({ db }: TxCtx): Promise<Window | undefined> => {
  const { rows } = await sql<Window>`
    with cursor as (
      select snapshot, pg_snapshot_xmax(snapshot)::text::bigint as read_to, pg_current_snapshot() as now
      from engine_statistics_cursor
      for update skip locked
    ), limited as (
      select *, pg_snapshot_xmin(now)::text::bigint - read_to > ${most_transactions}::int as more
      from cursor
    )
    select
      case when pg_snapshot_xmax(snapshot) > pg_snapshot_xmax(now) then now else snapshot end::text as old,
      case when more then format('%1$s:%1$s:', read_to + ${most_transactions}::int) else now::text end as next,
      more
    from limited`.execute(db)
  return rows[0]
}

const names = ['succeeded', 'failed', 'cancelled', 'timed_out'].map((status) => `workflows.execution.${status}`)

/** Ends of executions within the window. Only of these is it known that their data can be read as text. */
const ended = ({ old, next }: Window) => sql`
  events
  where tx_id >= pg_snapshot_xmin(${old}::pg_snapshot)
    and tx_id < pg_snapshot_xmax(${next}::pg_snapshot)
    and not pg_visible_in_snapshot(tx_id, ${old}::pg_snapshot)
    and pg_visible_in_snapshot(tx_id, ${next}::pg_snapshot)
    and case when name = any(${names}::text[]) then data ->> 'mode' = 'live' else false end`

const countEnds = ({ db }: TxCtx, window: Window) =>
  sql`
    insert into engine_statistics (workflow_id, hour, node_id, status, bucket, workspace_id, n)
    select
      (data ->> 'workflow_id')::uuid as workflow_id,
      date_trunc('hour', created_at, 'UTC') as hour,
      '',
      split_part(name, '.', 3) as status,
      ${sql.raw(bucketSql("(data ->> 'duration_ms')::float8"))} as bucket,
      workspace_id,
      count(*)
    from ${ended(window)}
    group by 1, 2, 4, 5, 6
    order by 1, 2, 4, 5
    on conflict (workflow_id, hour, node_id, status, bucket) do update
    set n = engine_statistics.n + excluded.n`.execute(db)

interface Sampled {
  readonly id: string
  readonly workflow_id: string
  readonly workspace_id: string
  readonly hour: string
}

const sampleOf = async ({ db }: TxCtx, window: Window): Promise<readonly Sampled[]> => {
  const { rows } = await sql<Sampled>`
    select id, workflow_id, workspace_id, hour
    from (
      select
        (data ->> 'execution_id')::uuid as id,
        (data ->> 'workflow_id')::uuid as workflow_id,
        workspace_id,
        date_trunc('hour', created_at, 'UTC') as hour,
        row_number() over (partition by data ->> 'workflow_id' order by id desc) as number
      from ${ended(window)}
    ) as numbered
    where number <= ${sample.of_workflow}
    limit ${sample.of_all}`.execute(db)
  return rows
}

/** Retries are failures that were not the end of it. */
const statusOf = ({ status, retry_at }: Step): string => (retry_at === null ? status : 'retried')

interface Counted extends Omit<Sampled, 'id'> {
  readonly node_id: string
  readonly status: string
  readonly bucket: number
  n: number
}

const countSteps = async (tx: TxCtx, window: Window): Promise<void> => {
  const found = await sampleOf(tx, window)
  const counts = new Map<string, Counted>()
  const count = ({ workflow_id, workspace_id, hour }: Sampled, node_id: string, status: string, bucket: number): void => {
    const key = `${workflow_id} ${hour} ${status} ${bucket} ${node_id}`
    const known = counts.get(key)
    if (known === undefined) counts.set(key, { workflow_id, workspace_id, hour, node_id, status, bucket, n: 1 })
    else known.n += 1
  }
  const byId = new Map(found.map((one) => [one.id, one]))
  for (const one of found) count(one, '', 'sampled', 0)
  for (let at = 0; at < found.length; at += 100) {
    const ids = found.slice(at, at + 100).map(({ id }) => id)
    const { rows } = await sql<{ execution_id: string; body: RecordBody }>`
      select execution_id, body
      from execution_records
      where execution_id = any(${ids}::uuid[]) and seq < ${read.records} and pg_column_size(body) < ${read.bytes}`.execute(tx.db)
    for (const { execution_id, body } of rows)
      for (const step of body.steps)
        count(byId.get(execution_id) as Sampled, step.node_id, statusOf(step), bucketOf(step.finished_at - step.started_at))
  }
  await addCounts(tx, [...counts.values()])
}

const addCounts = async ({ db }: TxCtx, counts: readonly Counted[]): Promise<void> => {
  if (counts.length === 0) return
  const column = <Key extends keyof Counted>(key: Key): Counted[Key][] => counts.map((row) => row[key])
  await sql`
    insert into engine_statistics (workflow_id, hour, node_id, status, bucket, workspace_id, n)
    select *
    from unnest(${column('workflow_id')}::uuid[], ${column('hour')}::timestamptz[], ${column('node_id')}::text[], ${column('status')}::text[],
      ${column('bucket')}::int[], ${column('workspace_id')}::uuid[], ${column('n')}::bigint[])
    order by 1, 2, 3, 4, 5
    on conflict (workflow_id, hour, node_id, status, bucket) do update
    set n = engine_statistics.n + excluded.n`.execute(db)
}

/** Counts what has ended since it was counted last, each end once. What it reads is what the event log tells anyway: the journal writes nothing for it. */
export const summarise = async (ctx: Ctx): Promise<void> => {
  for (let more = true; more;) {
    ctx.signal.throwIfAborted()
    more = await ctx.tx(async (tx) => {
      await sql`set local statement_timeout = '10min'`.execute(tx.db)
      const window = await nextWindow(tx)
      if (window === undefined) return false
      await countEnds(tx, window)
      await countSteps(tx, window)
      await sql`
        update engine_statistics_cursor
        set snapshot = ${window.next}::pg_snapshot, counted_at = ${new Date(ctx.now()).toISOString()}`.execute(tx.db)
      return window.more
    })
  }
}

export const summariseJob = defineJob({
  name: 'engine.summarise',
  doc: 'Counts how executions have ended, for the statistics of their workflows.',
  input: Type.Object({}),
  recurring: { every_ms: 60_000, input: {} },
  run: async (ctx) => {
    await summarise(ctx)
    return null
  },
})
