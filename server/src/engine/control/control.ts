import { sql } from 'kysely'
import { iso } from '../../lib/iso.ts'
import type { TxCtx } from '../../platform/context.ts'
import type { FinalStatus } from '../contract.ts'
import type { Actor, RecordBody } from '../journal/record.ts'

/** An execution that somebody has done something to. */
export interface Controlled {
  readonly id: string
  readonly workspace_id: string
  readonly workflow_id: string
  readonly version: number
  readonly mode: 'live' | 'test'
  /** Of a workflow with limits: it is to be admitted again before it goes on, and has given up its slot when it rests. */
  readonly line: string | null
}

/** As it was before. */
export type Retried = Controlled & { readonly status: FinalStatus; readonly code: string | null }

const actorOf = ({ principal }: TxCtx): Actor => ({ type: principal.type, id: principal.id })

/** Adds a record to an execution that no process holds and whose row this transaction has locked: nobody else adds one meanwhile. */
const record = async (tx: TxCtx, { id, workspace_id }: Controlled, body: Omit<RecordBody, 'at' | 'steps'>): Promise<void> => {
  const text = JSON.stringify({ at: tx.now(), steps: [], ...body } satisfies RecordBody)
  await sql`
    insert into execution_records (execution_id, seq, workspace_id, body)
    select ${id}::uuid, coalesce(max(seq), -1) + 1, ${workspace_id}::uuid, ${text}::text::json
    from execution_records
    where execution_id = ${id}`.execute(tx.db)
}

const about = sql.raw('e.id, e.workspace_id, e.workflow_id, e.version, e.mode, e.line')

/**
 * Queues an execution that has failed, was cancelled or timed out, to go on from where it ended; of any number of callers at once one does.
 * What it did before stays done. In the scope of the caller. Null: there is none of this id in such a state.
 */
export const retryIn = async (tx: TxCtx, id: string): Promise<Retried | null> => {
  const { rows } = await sql<Omit<Retried, 'code'> & { error: { code: string } | null }>`
    update executions as e
    set status = 'queued', finished_at = null, error = null, worker_id = null, admitted_at = null,
      wake_at = case when e.line is null then null else 'infinity'::timestamptz end, paused_at = null, dismissed_at = null,
      cancel_requested = false, recoveries = 0
    from (
      select id, status, error
      from executions
      where id = ${id} and status in ('failed', 'cancelled', 'timed_out') and mode <> 'job'
      for update
    ) as was
    where e.id = was.id
    returning ${about}, was.status, was.error`.execute(tx.db)
  const [found] = rows
  if (found === undefined) return null
  const { error, ...rest } = found
  const row = { ...rest, code: error?.code ?? null }
  await record(tx, row, { retried: { by: actorOf(tx) } })
  await freeCalls(tx, id)
  if (row.code === 'wait.timed_out') await reopenWaits(tx, id)
  return row
}

/** What was called and has not succeeded is called anew; what has, or goes on, is found again. */
const freeCalls = async (tx: TxCtx, id: string): Promise<void> => {
  await sql`
    update engine_calls as c
    set path = c.path || '~ended~' || c.execution_id
    from executions as e
    where c.parent_execution_id = ${id} and e.id = c.execution_id and e.status in ('failed', 'cancelled', 'timed_out')`.execute(tx.db)
}

/** Nobody came in time: who waits once more waits from now on. */
const reopenWaits = async (tx: TxCtx, id: string): Promise<void> => {
  await sql`
    delete from engine_waits
    where execution_id = ${id} and closed_at is not null and settled_at is null`.execute(tx.db)
}

/**
 * Lets an execution come to rest: at once where no process holds it, else as soon as what is in flight has come back. In the scope of the
 * caller. Null: it has ended, or is paused already.
 */
export const pauseIn = async (tx: TxCtx, id: string): Promise<Controlled | null> => {
  const { rows } = await sql<Controlled & { held: boolean }>`
    update executions as e
    set paused_at = ${iso(tx.now())},
      status = case when worker_id is null then 'waiting' else status end,
      wake_at = case when worker_id is null then 'infinity'::timestamptz else wake_at end,
      admitted_at = case when worker_id is null then null else admitted_at end
    where id = ${id} and finished_at is null and paused_at is null and not cancel_requested and mode <> 'job'
    returning ${about}, worker_id is not null as held`.execute(tx.db)
  const [row] = rows
  if (row === undefined) return null
  const { held, ...controlled } = row
  if (!held) await record(tx, controlled, { paused: { by: actorOf(tx) } })
  return controlled
}

/** Takes `pauseIn` back. `asleep`: it had come to rest, and is queued. Null: it is not paused. */
export const resumeIn = async (tx: TxCtx, id: string): Promise<(Controlled & { readonly asleep: boolean }) | null> => {
  const { rows } = await sql<Controlled & { asleep: boolean; paused_at: string }>`
    update executions as e
    set paused_at = null, status = case when was.asleep then 'queued' else e.status end,
      wake_at = case when was.asleep and e.line is not null then 'infinity'::timestamptz end
    from (
      select id, paused_at, wake_at is not null as asleep
      from executions
      where id = ${id} and finished_at is null and paused_at is not null
      for update
    ) as was
    where e.id = was.id
    returning ${about}, was.asleep, was.paused_at`.execute(tx.db)
  const [row] = rows
  if (row === undefined) return null
  const { paused_at, ...controlled } = row
  const paused_ms = Math.max(0, tx.now() - Date.parse(paused_at))
  if (row.asleep) await record(tx, controlled, { resumed: { by: actorOf(tx), paused_ms } })
  return controlled
}

/** Takes an execution that failed from the list of those that somebody has to look after. Null: it is not there. */
export const dismissIn = async (tx: TxCtx, id: string): Promise<Controlled | null> => {
  const { rows } = await sql<Controlled>`
    update executions as e
    set dismissed_at = ${iso(tx.now())}
    where id = ${id} and status in ('failed', 'timed_out') and mode = 'live' and dismissed_at is null
    returning ${about}`.execute(tx.db)
  return rows[0] ?? null
}

/** Keeps what was queued of a workflow and has not begun from beginning, and what stands in line from being admitted. It stays queued. */
export const holdQueued = async (tx: TxCtx, workflow_id: string): Promise<void> => {
  await sql`update engine_limits set held = true where workflow_id = ${workflow_id}`.execute(tx.db)
  await sql`
    update executions as e
    set wake_at = 'infinity'
    where workflow_id = ${workflow_id} and mode = 'live' and status = 'queued'
      and worker_id is null and finished_at is null and wake_at is null and recoveries = 0
      and not exists (select from execution_records as r where r.execution_id = e.id and r.seq > 0)`.execute(tx.db)
}

/** Takes `holdQueued` back. */
export const releaseQueued = async (tx: TxCtx, workflow_id: string): Promise<void> => {
  await sql`update engine_limits set held = false where workflow_id = ${workflow_id} and held`.execute(tx.db)
  await sql`
    update executions
    set wake_at = null
    where workflow_id = ${workflow_id} and status = 'queued' and finished_at is null and wake_at = 'infinity'
      and (line is null or admitted_at is not null)`.execute(tx.db)
}
