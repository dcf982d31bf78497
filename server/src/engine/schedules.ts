import type { Sql, TransactionSql } from 'postgres'
import { iso } from '../lib/iso.ts'
import type { Json } from '../lib/json.ts'
import type { App } from '../platform/context.ts'
import type { Running, StartExecution } from './contract.ts'
import { type JobType, no_workspace, trigger_node_id } from './job-types.ts'

/** A job that is started again and again. */
interface Recurring {
  readonly workflow_id: string
  readonly name: string
  readonly every_ms: number
  readonly payload: Json
}

export const recurringOf = (types: Iterable<JobType>): readonly Recurring[] =>
  [...types].flatMap(({ id, job: { name, recurring } }) =>
    recurring === undefined ? [] : [{ workflow_id: id, name, every_ms: recurring.every_ms, payload: recurring.input as Json }],
  )

/** Notes when each is due for the first time. */
export const layOutSchedules = async (sql: Sql, now: number, jobs: readonly Recurring[]): Promise<void> => {
  for (const { name, every_ms } of jobs) {
    await sql`
      insert into engine_schedules (job, next_at)
      values (${name}, ${iso(now + every_ms)})
      on conflict do nothing`
  }
}

type Start = (input: StartExecution) => Running | Promise<Running>

/** Starts those that are due and that no other process is starting. Never rejects: what fails is due still. */
export const startDue = async (app: App, jobs: readonly Recurring[], start: Start): Promise<void> => {
  try {
    for (const job of jobs) await app.database.system.begin((tx) => startOne(tx, app.now(), job, start))
  } catch (error) {
    app.log.warn({ err: error }, 'jobs that are due could not be started; it will be tried again')
  }
}

/** The row stays locked until the start is durable: after a crash in between the job is started twice, and never not at all. */
const startOne = async (tx: TransactionSql, now: number, job: Recurring, start: Start): Promise<void> => {
  const { workflow_id, name, every_ms, payload } = job
  const [due] = await tx`
    select 1 from engine_schedules
    where job = ${name} and next_at <= ${iso(now)}
    for update skip locked`
  if (due === undefined) return
  const running = await start({ workspace_id: no_workspace, workflow_id, version: 1, mode: 'job', trigger_node_id, payload })
  await running.accepted
  await tx`
    update engine_schedules
    set next_at = ${iso(now + every_ms)}
    where job = ${name}`
}
