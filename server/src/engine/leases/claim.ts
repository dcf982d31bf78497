import type { Sql } from 'postgres'
import type { CalledBy, ExecutionMode } from '../contract.ts'
import type { RecordBody } from '../journal/record.ts'
import type { LeaseRow } from './lease-sql.ts'
import { most_of_room } from './share.ts'

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
  /** It is to sleep, and whoever held it before died. */
  readonly paused: boolean
  /** Null: no other execution has started it. */
  readonly call: CalledBy | null
  /** The line in which it stood; null where its workflow has no limits. */
  readonly line: string | null
  readonly started_at: string
  readonly records: readonly { readonly seq: number; readonly body: RecordBody }[]
}

/** Workspaces that one claim looks at; where there are more, the next one goes on with those that come after. */
const most_workspaces = 1_000

export interface Room {
  /** Executions at most. */
  readonly room: number
  /** Ids of the jobs that this process knows. */
  readonly jobs: readonly string[]
  readonly capacity: number
  /** What the process holds by now. */
  readonly holds: readonly { readonly workspace_id: string; readonly held: number }[]
  /** From `Claim.reached`; null at first. */
  readonly after: string | null
}

export interface Claim {
  readonly claimed: readonly Claimed[]
  /** More is queued than was taken. */
  readonly more: boolean
  /** The workspace at which the claim stopped looking; null when it saw all of them. */
  readonly reached: string | null
}

interface ClaimRow extends Omit<Claimed, 'records' | 'id'> {
  /** Null in the one row that there is when nothing was taken. */
  readonly id: string | null
  readonly seen: number
  readonly reached: string | null
}

const first_workspace = '00000000-0000-0000-0000-000000000000'

/** The workspaces of which something is queued, found one by one in an index, however much it is. */
const spaces = (sql: Sql, after: string | null) => sql`
    spaces as (
      (
        select workspace_id, 1 as nth
        from executions
        where worker_id is null and finished_at is null and wake_at is null and workspace_id >= ${after ?? first_workspace}
        order by workspace_id
        limit 1
      )
      union all
      select next.workspace_id, spaces.nth + 1
      from spaces
      cross join lateral (
        select workspace_id
        from executions
        where worker_id is null and finished_at is null and wake_at is null and workspace_id > spaces.workspace_id
        order by workspace_id
        limit 1
      ) as next
      where spaces.nth < ${most_workspaces}
    )`

/** The next few of each workspace; `level`: how many the process would hold of it with this one. */
const nextOfEach = (sql: Sql, { holds, room, jobs }: Room) => sql`
    holds as (
      select *
      from unnest(${holds.map((hold) => hold.workspace_id)}::uuid[], ${holds.map((hold) => hold.held)}::int[]) as h (workspace_id, held)
    ),
    queued as materialized (
      select next.id,
        coalesce(holds.held, 0) + row_number() over (partition by workspace_id order by next.priority desc, next.id) as level
      from spaces
      left join holds using (workspace_id)
      cross join lateral (
        select id, priority
        from executions
        where worker_id is null and finished_at is null and wake_at is null and workspace_id = spaces.workspace_id
          and (mode <> 'job' or workflow_id = any(${jobs}::uuid[]))
        order by priority desc, id
        limit (select 1 + ceil(2.0 * ${room}::int / count(*)) from spaces)
      ) as next
    )`

/**
 * Some of the candidates may be gone meanwhile, or locked by another process; a thousand are more than one claim takes. The planner has to be told: it
 * expects as many as there are queued, and would read all of them.
 */
const take = (sql: Sql, lease: LeaseRow, options: Room): Promise<ClaimRow[]> => {
  const { room, capacity, holds, after } = options
  const all = holds.reduce((sum, { held }) => sum + held, 0)
  return sql<ClaimRow[]>`
    with recursive lease as materialized (
      select 1 from engine_workers
      where id = ${lease.id} and epoch = ${lease.epoch} and state = 'alive'
      for key share
    ),
    ${spaces(sql, after)},
    ${nextOfEach(sql, options)},
    shared as (
      select id, level, row_number() over (order by level, id) as place
      from queued
    ),
    fitting as materialized (
      select id, place
      from shared
      where level - 1 < ${most_of_room}::bigint * (${capacity}::int - ${all}::int - place + 1)
      order by place
      limit 1000
    ),
    picked as (
      select executions.id
      from executions
      join fitting using (id)
      where executions.worker_id is null and executions.finished_at is null and executions.wake_at is null
      order by fitting.place
      limit ${room}
      for update of executions skip locked
    ),
    taken as (
      update executions as e
      set worker_id = ${lease.id}, status = 'running'
      from picked, lease
      where e.id = picked.id
      returning e.id, e.workspace_id, e.workflow_id, e.version, e.mode, e.trigger_type, e.trigger_node_id, e.recoveries,
        e.cancel_requested, e.paused_at is not null as paused, e.started_at, e.line,
        (select json_build_object('parent_execution_id', c.parent_execution_id, 'hops', c.hops, 'waits', c.waits)
          from engine_calls as c
          where c.execution_id = e.id) as call
    )
    select taken.*, (select count(*) from queued) as seen,
      (select workspace_id from spaces where nth = ${most_workspaces}) as reached
    from (values (1)) as once
    left join taken on true`
}

/**
 * Takes up to `room` queued executions and reads their journals. A workspace of which the process holds fewer goes first, and none gets more than
 * its share (`mayHold`): so one workspace's thousands cannot keep another's one waiting. Within a workspace the higher priority goes first, then what was
 * there before. Of each workspace only the next few are read, whatever else it has queued. `skip locked` lets several
 * processes claim at once. Of jobs only those are taken that this process knows (`jobs`): while servers of two versions run, the newer one's are for the
 * newer one.
 */
export const claim = async (sql: Sql, lease: LeaseRow, options: Room): Promise<Claim> => {
  const rows = await take(sql, lease, options)
  const seen = rows[0]?.seen ?? 0
  const reached = rows[0]?.reached ?? null
  const taken = rows.filter((row): row is ClaimRow & { readonly id: string } => row.id !== null)
  const more = seen > taken.length || reached !== null
  if (taken.length === 0) return { claimed: [], more, reached }
  const records = await sql<{ execution_id: string; seq: number; body: RecordBody }[]>`
    select execution_id, seq, body
    from execution_records
    where execution_id = any(${taken.map((row) => row.id)}::uuid[])
    order by execution_id, seq`
  const byExecution = Map.groupBy(records, (record) => record.execution_id)
  return { claimed: taken.map((row) => ({ ...row, records: byExecution.get(row.id) ?? [] })), more, reached }
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

/** The executions of this worker whose end was asked for, or that are to sleep. */
export const endRequests = (
  sql: Sql,
  worker_id: string,
): Promise<readonly { readonly id: string; readonly cancel_requested: boolean }[]> => sql`
    select id, cancel_requested from executions
    where worker_id = ${worker_id} and finished_at is null and wake_at is null and (cancel_requested or paused_at is not null)`

/** Asks whoever holds an execution to end it, or wakes it to be ended. False when it has ended already. */
export const requestCancel = async (sql: Sql, id: string): Promise<boolean> => {
  const rows = await sql`
    update executions
    set cancel_requested = true, wake_at = null, paused_at = null, status = case when wake_at is null then status else 'queued' end
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
