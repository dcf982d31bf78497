import { sql } from 'kysely'
import { type Static, Type } from 'typebox'
import type { ReadDb } from '../../platform/database/open.ts'

/** What a queued execution waits for. */
export const Queue = Type.Object({
  position: Type.Integer({ minimum: 1, description: 'Among those that wait for the same; at most 100,000 are counted.' }),
  reason: Type.Union([Type.Literal('concurrency'), Type.Literal('rate_limit'), Type.Literal('capacity'), Type.Literal('paused')], {
    description: '`capacity`: it may begin, and no process has had room yet. `paused`: its workflow is.',
  }),
  key: Type.Optional(Type.String({ description: 'The key of the limit that it waits for. Long ones are shown as their digest.' })),
})
export type Queue = Static<typeof Queue>

/** Of a workflow with limits. */
export const QueueCounts = Type.Object({
  queued: Type.Integer({ description: 'Executions that stand in line; at most 100,000 are counted.' }),
  running: Type.Integer({ description: 'Executions that have a slot.' }),
})
export type QueueCounts = Static<typeof QueueCounts>

const most_counted = 100_000

interface Standing {
  readonly workspace_id: string
  readonly workflow_id: string
  readonly priority: number
  readonly line: string | null
  readonly rate_key: string | null
  readonly in_line: boolean
  /** Its workflow is paused. */
  readonly held: boolean
}

/** Of an execution of the caller's workspace; null when it is not queued (any more). */
export const queueOf = async (db: ReadDb, id: string): Promise<Queue | null> => {
  const { rows } = await sql<Standing>`
    select workspace_id, workflow_id, priority, line, rate_key,
      line is not null and admitted_at is null and wake_at is not null as in_line,
      wake_at is not null and (line is null or admitted_at is not null) as held
    from executions
    where id = ${id} and status = 'queued'`.execute(db)
  const [row] = rows
  if (row === undefined) return null
  if (row.line === null || !row.in_line) return { position: await placeAmongAll(db, id, row), reason: row.held ? 'paused' : 'capacity' }
  const [position, reason] = await Promise.all([placeInLine(db, id, row), reasonOf(db, row)])
  const key = reason === 'rate_limit' ? row.rate_key : row.line
  return { position, reason, ...(key === null || key === '' ? {} : { key }) }
}

const placeInLine = async (db: ReadDb, id: string, { workflow_id, line, priority }: Standing): Promise<number> => {
  const { rows } = await sql<{ ahead: number }>`
    select count(*) as ahead
    from (
      select from executions
      where workflow_id = ${workflow_id} and line = ${line}
        and line is not null and admitted_at is null and wake_at is not null and paused_at is null
        and (priority > ${priority} or (priority = ${priority} and id < ${id}))
      limit ${most_counted}
    ) as those`.execute(db)
  return (rows[0]?.ahead ?? 0) + 1
}

const placeAmongAll = async (db: ReadDb, id: string, { workspace_id, priority }: Standing): Promise<number> => {
  const { rows } = await sql<{ ahead: number }>`
    select count(*) as ahead
    from (
      select from executions
      where workspace_id = ${workspace_id} and worker_id is null and finished_at is null and wake_at is null and mode <> 'job'
        and (priority > ${priority} or (priority = ${priority} and id < ${id}))
      limit ${most_counted}
    ) as those`.execute(db)
  return (rows[0]?.ahead ?? 0) + 1
}

/** Who has a slot to hope for and is not admitted waits for the rate. */
const reasonOf = async (db: ReadDb, { workflow_id, line }: Standing): Promise<'concurrency' | 'rate_limit' | 'paused'> => {
  const { rows } = await sql<{ held: boolean; by_rate: boolean }>`
    select held, rate is not null and (concurrency is null or concurrency > (
      select count(*)
      from executions
      where workflow_id = ${workflow_id} and line = ${line} and line is not null and admitted_at is not null and finished_at is null
    )) as by_rate
    from engine_limits
    where workflow_id = ${workflow_id}`.execute(db)
  const [limits] = rows
  if (limits?.held === true) return 'paused'
  return limits?.by_rate === true ? 'rate_limit' : 'concurrency'
}

/** Null when the workflow has never had limits. */
export const queueCounts = async (db: ReadDb, workflow_id: string): Promise<QueueCounts | null> => {
  const { rows } = await sql<QueueCounts>`
    select
      (
        select count(*)
        from (
          select from executions
          where workflow_id = ${workflow_id}
            and line is not null and admitted_at is null and wake_at is not null and paused_at is null
          limit ${most_counted}
        ) as those
      ) as queued,
      (
        select count(*)
        from executions
        where workflow_id = ${workflow_id} and line is not null and admitted_at is not null and finished_at is null
      ) as running
    from engine_limits
    where workflow_id = ${workflow_id}`.execute(db)
  return rows[0] ?? null
}
