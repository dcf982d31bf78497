import type { Sql } from 'postgres'

export interface LeaseRow {
  readonly id: string
  readonly epoch: number
}

/**
 * Takes the worker's row, new or from before, and frees what it held under an earlier epoch: a server that was killed finds its own work at once.
 * The raised epoch shuts out whatever still runs under the old one; two statements, because raising it waits for the last batch, and only a
 * later snapshot sees what that has written. One transaction, because what this worker begins under the new epoch must not be taken for
 * what it has left: nothing is begun before this is committed.
 */
export const register = (sql: Sql, id: string): Promise<{ readonly row: LeaseRow; readonly freed: number }> =>
  sql.begin(async (tx) => {
    const [row] = await tx<{ epoch: number }[]>`
      insert into engine_workers (id, epoch, state)
      values (${id}, 1, 'alive')
      on conflict (id) do update
      set epoch = engine_workers.epoch + 1, state = 'alive', started_at = now(), heartbeat_at = now()
      returning epoch`
    if (row === undefined) throw new Error('registering a worker returned no row')
    const { count } = await tx`
      update executions
      set worker_id = null, status = 'queued', recoveries = recoveries + 1
      where worker_id = ${id} and finished_at is null and wake_at is null`
    return { row: { id, epoch: row.epoch }, freed: count }
  })

export interface Pulse {
  /** A worker's heartbeat has stopped. */
  readonly somebody_died: boolean
  /** Executions wait for anyone who has room. */
  readonly queued: boolean
  /** The time of executions that sleep has come. */
  readonly awake: boolean
  /** Jobs that recur are due. */
  readonly due: boolean
  /** Somebody stands in line. */
  readonly in_line: boolean
  /** Somebody asked for the end of an execution that this worker holds, or paused it. */
  readonly cancels: boolean
}

export interface Heartbeat {
  readonly takeover_ms: number
  /** Unix milliseconds. */
  readonly now: number
  /** Ids of the jobs that this process knows. */
  readonly jobs: readonly string[]
}

/**
 * The heartbeat, and in the same round trip whether there is anything to do. Null: the lease is lost. The first of those that sleep is asked
 * for by `min`, because for `exists` the planner expects a hit soon and reads the table: 130 ms with 200,000 asleep, instead of 1 ms.
 */
export const heartbeat = async (sql: Sql, lease: LeaseRow, { takeover_ms, now, jobs }: Heartbeat): Promise<Pulse | null> => {
  const at = new Date(now).toISOString()
  const [row] = await sql<Pulse[]>`
    update engine_workers as me
    set heartbeat_at = now()
    where id = ${lease.id} and epoch = ${lease.epoch} and state = 'alive'
    returning
      exists (
        select from engine_workers as other
        where other.state = 'alive' and other.id <> me.id
          and other.heartbeat_at < now() - make_interval(secs => ${takeover_ms / 1000}::float8)
      ) as somebody_died,
      exists (
        select from executions
        where worker_id is null and finished_at is null and wake_at is null
          and (mode <> 'job' or workflow_id = any(${jobs}::uuid[]))
      ) as queued,
      coalesce((select min(wake_at) from executions where wake_at is not null) <= ${at}, false) as awake,
      exists (select from engine_schedules where next_at <= ${at}) as due,
      (
        select line
        from executions
        where line is not null and admitted_at is null and wake_at is not null and paused_at is null
        order by workflow_id, line
        limit 1
      ) is not null as in_line,
      exists (
        select from executions
        where worker_id = me.id and finished_at is null and wake_at is null and (cancel_requested or paused_at is not null)
      ) as cancels`
  return row ?? null
}

/**
 * Declares silent workers dead and frees what they held. Two statements on purpose: raising the epoch waits for the dead
 * worker's last batch, and only a later snapshot sees what that batch has written.
 */
export const takeOver = async (sql: Sql, takeover_ms: number): Promise<number> =>
  sql.begin(async (tx) => {
    await tx`
      update engine_workers
      set state = 'dead', epoch = epoch + 1
      where id in (
        select id from engine_workers
        where state = 'alive' and heartbeat_at < now() - make_interval(secs => ${takeover_ms / 1000}::float8)
        for update skip locked
      )`
    const freed = await tx`
      update executions
      set worker_id = null, status = 'queued', recoveries = recoveries + 1
      where finished_at is null and wake_at is null
        and worker_id in (select id from engine_workers where state <> 'alive')`
    return freed.count
  })

/** Hands everything back on a clean stop; nobody has to wait for a heartbeat to grow old. */
export const resign = async (sql: Sql, lease: LeaseRow): Promise<void> => {
  await sql.begin(async (tx) => {
    const rows = await tx`
      update engine_workers
      set state = 'stopped', epoch = epoch + 1
      where id = ${lease.id} and epoch = ${lease.epoch}
      returning id`
    if (rows.length === 0) return
    await tx`
      update executions
      set worker_id = null, status = 'queued'
      where worker_id = ${lease.id} and finished_at is null and wake_at is null`
  })
}
