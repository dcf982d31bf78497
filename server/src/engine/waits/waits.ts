import type { Sql, TransactionSql } from 'postgres'
import { iso } from '../../lib/iso.ts'
import type { Json } from '../../lib/json.ts'
import type { Step } from '../graph/plan.ts'
import type { RecordBody } from '../journal/record.ts'

/** A step that waits for somebody outside. */
export interface WaitKey {
  readonly execution_id: string
  readonly path: string
}

/** Notes that a step waits; again with a later attempt, when it goes on waiting. */
export const openWait = async (
  sql: Sql,
  wait: WaitKey & { readonly workspace_id: string; readonly node_id: string; readonly attempt: number; readonly expires_at: number | null },
  now: number,
): Promise<void> => {
  const { execution_id, path, node_id, workspace_id, attempt, expires_at } = wait
  await sql`
    insert into engine_waits (execution_id, path, node_id, workspace_id, attempt, created_at, expires_at)
    values (${execution_id}, ${path}, ${node_id}, ${workspace_id}, ${attempt}, ${iso(now)}, ${expires_at === null ? null : iso(expires_at)})
    on conflict (execution_id, path) do update
    set attempt = excluded.attempt`
}

export type WaitState =
  | { readonly is: 'open'; readonly expires_at: number | null }
  | { readonly is: 'expired' }
  | { readonly is: 'settled'; readonly output: Json; readonly port: string }

/** What has become of a wait whose step is run again. What is settled counts as delivered from here on: the step itself brings it. */
export const lookAtWait = async (sql: Sql, { execution_id, path }: WaitKey, now: number): Promise<WaitState | null> => {
  const [row] = await sql<{ expires_at: string | null; settled_at: string | null; output: Json; port: string | null }[]>`
    update engine_waits
    set closed_at = case when settled_at is null and expires_at <= ${iso(now)} then coalesce(closed_at, ${iso(now)}::timestamptz) else closed_at end,
      delivered_at = case when settled_at is null then null else ${iso(now)}::timestamptz end
    where execution_id = ${execution_id} and path = ${path}
    returning expires_at, settled_at, output, port`
  if (row === undefined) return null
  if (row.settled_at !== null) return { is: 'settled', output: row.output, port: row.port ?? 'out' }
  const expires_at = row.expires_at === null ? null : Date.parse(row.expires_at)
  return expires_at !== null && expires_at <= now ? { is: 'expired' } : { is: 'open', expires_at }
}

/**
 * Settles the wait of an execution that has been open for longest, or that of a node. Of any number who try at once one does. False:
 * nothing waits, or it has been settled, or its time is over.
 */
export const settleWait = async (
  sql: Sql,
  which: { readonly execution_id: string; readonly node_id: string | null; readonly output: Json; readonly port?: string },
  now: number,
): Promise<{ readonly node_id: string } | null> => {
  const { execution_id, node_id, output, port = 'out' } = which
  const [row] = await sql<{ node_id: string }[]>`
    update engine_waits
    set settled_at = ${iso(now)}, output = ${JSON.stringify(output)}::text::json, port = ${port}
    where (execution_id, path) = (
      select execution_id, path
      from engine_waits
      where execution_id = ${execution_id}
        and settled_at is null and closed_at is null and (expires_at is null or expires_at > ${iso(now)})
        and (${node_id}::text is null or node_id = ${node_id})
        and exists (select from executions where id = ${execution_id} and finished_at is null)
      order by created_at, path
      limit 1
    )
      and settled_at is null and closed_at is null
    returning node_id`
  return row ?? null
}

interface Settled {
  readonly path: string
  readonly node_id: string
  readonly workspace_id: string
  readonly attempt: number
  readonly output: Json
  readonly port: string | null
  readonly created_at: string
}

const stepOf = ({ path, node_id, attempt, output, port, created_at }: Settled, now: number): Step => ({
  node_id,
  ...(path === node_id ? {} : { path }),
  attempt: attempt + 1,
  status: 'succeeded',
  port: port ?? 'out',
  output,
  error: null,
  started_at: Date.parse(created_at),
  finished_at: now,
  retry_at: null,
})

/**
 * Writes what was settled into the journal of an execution that sleeps, and queues it, unless it is paused or stands in line. Nobody holds such an execution: the lock on its row
 * keeps everybody else from taking it up meanwhile. False where there is nothing to bring, or the execution does not sleep: whoever holds
 * it calls this when it does.
 */
export const deliver = (sql: Sql, execution_id: string, now: number): Promise<boolean> =>
  sql.begin(async (tx) => {
    const [asleep] = await tx<{ stays: boolean }[]>`
      select paused_at is not null or (line is not null and admitted_at is null) as stays
      from executions
      where id = ${execution_id} and wake_at is not null and finished_at is null
      for update`
    if (asleep === undefined || !(await deliverTo(tx, execution_id, now)) || asleep.stays) return false
    await tx`
      update executions
      set wake_at = null, status = 'queued'
      where id = ${execution_id}`
    return true
  })

const deliverTo = async (tx: TransactionSql, execution_id: string, now: number): Promise<boolean> => {
  const settled = await tx<Settled[]>`
    update engine_waits
    set delivered_at = ${iso(now)}
    where execution_id = ${execution_id} and settled_at is not null and delivered_at is null
    returning path, node_id, workspace_id, attempt, output, port, created_at`
  const [first] = settled
  if (first === undefined) return false
  const body: RecordBody = { at: now, steps: settled.map((wait) => stepOf(wait, now)) }
  await tx`
    insert into execution_records (execution_id, seq, workspace_id, body)
    select ${execution_id}, max(seq) + 1, ${first.workspace_id}, ${JSON.stringify(body)}::text::json
    from execution_records
    where execution_id = ${execution_id}`
  return true
}

/** Executions that sleep and have something to be brought: a process died between the two. */
export const undelivered = async (sql: Sql): Promise<readonly string[]> => {
  const rows = await sql<{ execution_id: string }[]>`
    select execution_id
    from engine_waits
    where settled_at is not null and delivered_at is null
    order by settled_at
    limit 100`
  return [...new Set(rows.map((row) => row.execution_id))]
}
