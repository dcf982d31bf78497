import { jsonSize } from '../../lib/json-size.ts'
import type { Json, JsonObject } from '../../lib/json.ts'
import type { ReadDb } from '../../platform/database/open.ts'
import type { ExecutionError, ExecutionMode, ExecutionStatus } from '../contract.ts'
import { gatherer, lastStep } from '../gather.ts'
import type { Definition } from '../graph/definition.ts'
import type { Step } from '../graph/plan.ts'
import { firstRecord, type JournalSource, recordsOf } from '../read-records.ts'

/** Of a journal, in characters as JSON: a test that is made of more would not fit into a definition. */
const most_chars = 4 * 1024 * 1024

/** All that is known of an execution that has ended. */
export interface Recorded {
  readonly id: string
  readonly workflow_id: string
  readonly version: number
  readonly mode: ExecutionMode
  readonly status: ExecutionStatus
  readonly started_at: string
  readonly error: ExecutionError | null
  /** What it executed. */
  readonly definition: Definition
  readonly trigger: { readonly node_id: string; readonly payload: Json }
  /** The variables that it went by; null where it names none. */
  readonly vars: JsonObject | null
  /** With their outputs, those of loops put together. */
  readonly steps: readonly Step[]
  readonly output: Json
}

/** Null: there is no such execution. `too_large`: its journal is larger than can be made a test of. */
export const readRecorded = async (source: JournalSource, id: string): Promise<Recorded | 'too_large' | null> => {
  const { db } = source
  const row = await db
    .selectFrom('executions')
    .select(['id', 'workflow_id', 'version', 'mode', 'status', 'started_at', 'error'])
    .where('id', '=', id)
    .where('mode', '<>', 'job')
    .executeTakeFirst()
  if (row === undefined) return null
  const first = await firstRecord(source, id)
  if (first?.body.trigger === undefined) return null
  const read = await journalOf(source, id)
  if (read === null) return 'too_large'
  const { steps, vars } = read
  const definition = first.body.draft?.definition ?? (await deployed(db, row))
  if (definition === null) return null
  const output = lastStep(steps)?.output ?? first.body.trigger.payload
  return {
    ...(row as unknown as Omit<Recorded, 'definition' | 'trigger' | 'vars' | 'steps' | 'output'>),
    definition,
    trigger: first.body.trigger,
    vars,
    steps,
    output,
  }
}

const journalOf = async (source: JournalSource, id: string): Promise<Pick<Recorded, 'steps' | 'vars'> | null> => {
  const gathered = gatherer()
  let steps: Step[] = []
  let vars: JsonObject | null = null
  let room = most_chars
  for (let next = 0; ;) {
    const { rows, more } = await recordsOf(source, id, next)
    for (const { body } of rows) {
      const size = jsonSize(body as unknown as Json, room)
      if (size === null) return null
      room -= size
      gathered.add(body)
      vars ??= body.vars ?? null
      // It was tried again from what had ended it: that has not happened, then.
      if (body.retried !== undefined) steps = steps.filter((step) => !hasEndedIt(step))
      for (const step of body.steps) steps.push(step.gathered === true ? { ...step, output: gathered.outputOf(step) } : step)
    }
    if (!more) return { steps, vars }
    next += rows.length
  }
}

const hasEndedIt = ({ status, port, retry_at }: Step): boolean => status === 'failed' && port === null && retry_at === null

const deployed = async (db: ReadDb, { workflow_id, version }: { workflow_id: string; version: number }): Promise<Definition | null> => {
  const row = await db
    .selectFrom('engine_versions')
    .select('definition')
    .where('workflow_id', '=', workflow_id)
    .where('version', '=', version)
    .executeTakeFirst()
  return row === undefined ? null : (row.definition as unknown as Definition)
}

/** The live executions of a workflow that ended by themselves, the latest first. */
export const lastEnded = async (db: ReadDb, workflow_id: string, limit: number): Promise<readonly string[]> => {
  const rows = await db
    .selectFrom('executions')
    .select('id')
    .where('workflow_id', '=', workflow_id)
    .where('mode', '=', 'live')
    .where('status', 'in', ['succeeded', 'failed'])
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}
