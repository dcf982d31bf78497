import type { Sql } from 'postgres'
import type { CalledBy, ExecutionMode } from '../contract.ts'
import type { RecordBody } from '../journal/record.ts'
import type { LeaseRow } from './lease-sql.ts'

export interface Claimed {
  readonly id: string
  readonly workspace_id: string
  readonly workflow_id: string
  readonly version: number
  readonly mode: ExecutionMode
  readonly trigger_type: string
  readonly trigger_node_id: string
  readonly recoveries: number
  readonly cancel_requested: boolean
  /** Null: no other execution has started it. */
  readonly call: CalledBy | null
  readonly started_at: string
  readonly records: readonly { readonly seq: number; readonly body: RecordBody }[]
}

/**
 * Takes up to `room` queued executions and reads their journals. Workspaces take turns: the first of each, then the second of each; so one
 * workspace's thousand cannot keep another's one waiting. `skip locked` lets several processes claim at once. Of jobs only those are taken
 * that this process knows (`jobs`): while servers of two versions run, the newer one's are for the newer one.
 */
export const claim = async (
  sql: Sql,
  lease: LeaseRow,
  options: { readonly room: number; readonly jobs: readonly string[] },
): Promise<readonly Claimed[]> => {
  const { room, jobs } = options
  const rows = await sql<Omit<Claimed, 'records'>[]>`
    with lease as materialized (
      select 1 from engine_workers
      where id = ${lease.id} and epoch = ${lease.epoch} and state = 'alive'
      for key share
    ),
    queued as (
      select id, row_number() over (partition by workspace_id order by id) as turn
      from (
        select id, workspace_id from executions
        where worker_id is null and finished_at is null and wake_at is null
          and (mode <> 'job' or workflow_id = any(${jobs}::uuid[]))
        order by id
        limit 10000
      ) as oldest
    ),
    picked as (
      select executions.id
      from executions
      join queued using (id)
      where executions.worker_id is null and executions.finished_at is null and executions.wake_at is null
      order by queued.turn, executions.id
      limit ${room}
      for update of executions skip locked
    )
    update executions as e
    set worker_id = ${lease.id}, status = 'running'
    from picked, lease
    where e.id = picked.id
    returning e.id, e.workspace_id, e.workflow_id, e.version, e.mode, e.trigger_type, e.trigger_node_id, e.recoveries,
      e.cancel_requested, e.started_at,
      (select json_build_object('parent_execution_id', c.parent_execution_id, 'hops', c.hops, 'waits', c.waits)
        from engine_calls as c
        where c.execution_id = e.id) as call`
  if (rows.length === 0) return []
  const records = await sql<{ execution_id: string; seq: number; body: RecordBody }[]>`
    select execution_id, seq, body
    from execution_records
    where execution_id = any(${rows.map((row) => row.id)}::uuid[])
    order by execution_id, seq`
  const byExecution = Map.groupBy(records, (record) => record.execution_id)
  return rows.map((row) => ({ ...row, records: byExecution.get(row.id) ?? [] }))
}

/**
 * Queues again what is this worker's and not in its hands: a claim was committed and its answer lost. An execution is in the
 * worker's hands from before it is accepted until after its end is committed, so what `isHeld` denies of an earlier list has
 * ended meanwhile, which the update leaves alone, or is a stray.
 */
export const freeStrays = async (sql: Sql, lease: LeaseRow, isHeld: (id: string) => boolean): Promise<number> => {
  const rows = await sql<{ id: string }[]>`
    select id from executions
    where worker_id = ${lease.id} and finished_at is null and wake_at is null`
  const strays = rows.map((row) => row.id).filter((id) => !isHeld(id))
  if (strays.length === 0) return 0
  const freed = await sql`
    update executions
    set worker_id = null, status = 'queued'
    where id = any(${strays}::uuid[]) and worker_id = ${lease.id} and finished_at is null`
  return freed.count
}

/** The executions of this worker whose end was asked for. */
export const cancelRequests = async (sql: Sql, worker_id: string): Promise<readonly string[]> => {
  const rows = await sql<{ id: string }[]>`
    select id from executions
    where worker_id = ${worker_id} and finished_at is null and wake_at is null and cancel_requested`
  return rows.map((row) => row.id)
}

/** Asks whoever holds an execution to end it, or wakes it to be ended. False when it has ended already. */
export const requestCancel = async (sql: Sql, id: string): Promise<boolean> => {
  const rows = await sql`
    update executions
    set cancel_requested = true, wake_at = null, status = case when wake_at is null then status else 'queued' end
    where id = ${id} and finished_at is null
    returning id`
  return rows.length === 1
}

/** Executions woken by one statement: some 200 ms, and there is a heartbeat each second. */
const wake_batch = 2_000

/** Queues the executions whose time has come; answers how many. */
export const wake = async (sql: Sql, now: number): Promise<number> => {
  const woken = await sql`
    update executions
    set wake_at = null, status = 'queued'
    where id in (
      select id from executions
      where wake_at <= ${new Date(now).toISOString()}
      order by wake_at
      limit ${wake_batch}
      for update skip locked
    )`
  return woken.count
}
