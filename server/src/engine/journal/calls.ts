import type { Sql } from 'postgres'

export interface Call {
  readonly execution_id: string
  readonly workspace_id: string
  readonly parent_execution_id: string
  /** Of the step that calls. */
  readonly path: string
  /** Calls and webhooks in a row up to the called execution. */
  readonly hops: number
  /** The parent waits for it. */
  readonly waits: boolean
}

/** The id of the execution that a step starts: the one it was given first, whoever asks again. `started`: there is such an execution. */
export const reserveCall = async (sql: Sql, call: Call): Promise<{ readonly execution_id: string; readonly started: boolean }> => {
  const { execution_id, workspace_id, parent_execution_id, path, hops, waits } = call
  await sql`
    insert into engine_calls (execution_id, workspace_id, parent_execution_id, path, hops, waits)
    values (${execution_id}, ${workspace_id}, ${parent_execution_id}, ${path}, ${hops}, ${waits})
    on conflict do nothing`
  const [row] = await sql<{ execution_id: string; started: boolean }[]>`
    select c.execution_id, exists (select from executions as e where e.id = c.execution_id) as started
    from engine_calls as c
    where c.parent_execution_id = ${parent_execution_id} and c.path = ${path}`
  if (row === undefined) throw new Error('a call that was reserved is not there')
  return row
}

/** Executions that an execution has waited for and that have not ended, while it has. */
export const openCalls = async (sql: Sql, parent_execution_id: string): Promise<readonly string[]> => {
  const rows = await sql<{ id: string }[]>`
    select e.id
    from engine_calls as c
    join executions as e on e.id = c.execution_id
    join executions as p on p.id = c.parent_execution_id
    where c.parent_execution_id = ${parent_execution_id} and c.waits and e.finished_at is null and p.finished_at is not null`
  return rows.map(({ id }) => id)
}

/** Queues an execution that sleeps; false when it does not, is paused or stands in line. */
export const wakeOne = async (sql: Sql, id: string): Promise<boolean> => {
  const woken = await sql`
    update executions
    set wake_at = null, status = 'queued'
    where id = ${id} and wake_at is not null and paused_at is null and finished_at is null
      and (line is null or admitted_at is not null)`
  return woken.count === 1
}

/**
 * Queues the executions that sleep until one that they have called ends, where it has: the process that would have woken them died in between, and
 * by themselves they look ever more rarely. One that waits for another of its calls looks once for nothing.
 */
export const wakeCallers = async (sql: Sql): Promise<number> => {
  const woken = await sql`
    update executions
    set wake_at = null, status = 'queued'
    where wake_at is not null and paused_at is null and finished_at is null
      and (line is null or admitted_at is not null)
      and id in (
        select c.parent_execution_id
        from executions as asleep
        join engine_calls as c on c.parent_execution_id = asleep.id
        join executions as called on called.id = c.execution_id
        where asleep.wake_at is not null and c.waits and called.finished_at is not null
      )`
  return woken.count
}
