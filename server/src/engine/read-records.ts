import type { Json } from '../lib/json.ts'
import type { ReadDb } from '../platform/database/open.ts'
import { gatherer, lastStep } from './gather.ts'
import type { Step } from './graph/plan.ts'
import type { RecordBody } from './journal/record.ts'

export interface RecordRow {
  readonly seq: number
  readonly body: RecordBody
}

/** Records read at a time: a journal may be longer than there is memory for. */
export const record_batch = 100

export const recordsOf = async (db: ReadDb, id: string, from: number, limit = record_batch): Promise<readonly RecordRow[]> => {
  const rows = await db
    .selectFrom('execution_records')
    .select(['seq', 'body'])
    .where('execution_id', '=', id)
    .where('seq', '>=', from)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows as unknown as readonly RecordRow[]
}

export const lastRecord = async (db: ReadDb, id: string): Promise<RecordRow | undefined> => {
  const row = await db
    .selectFrom('execution_records')
    .select(['seq', 'body'])
    .where('execution_id', '=', id)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row as unknown as RecordRow | undefined
}

/**
 * What an execution that has succeeded gave: the output of the step that finished last, in its last record or shortly before. Where that is a
 * loop, its output is put together of all records.
 */
export const outputOf = async (db: ReadDb, id: string, final: RecordRow): Promise<Json> => {
  const last = await stepBefore(db, id, final)
  if (last === null) return (await recordsOf(db, id, 0, 1))[0]?.body.trigger?.payload ?? null
  if (last.gathered !== true) return last.output
  const gathered = gatherer()
  for (let next = 0; ;) {
    const rows = await recordsOf(db, id, next)
    for (const { body } of rows) gathered.add(body)
    if (rows.length < record_batch) return gathered.outputOf(last)
    next += rows.length
  }
}

const stepBefore = async (db: ReadDb, id: string, final: RecordRow): Promise<Step | null> => {
  let found = lastStep(final.body.steps)
  for (let seq = final.seq; found === undefined && seq > 0;) {
    const rows = (await db
      .selectFrom('execution_records')
      .select(['seq', 'body'])
      .where('execution_id', '=', id)
      .where('seq', '<', seq)
      .orderBy('seq', 'desc')
      .limit(10)
      .execute()) as unknown as readonly RecordRow[]
    for (const { body } of rows) found ??= lastStep(body.steps)
    seq = rows.at(-1)?.seq ?? 0
  }
  return found ?? null
}
