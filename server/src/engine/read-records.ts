import type { Json } from '../lib/json.ts'
import type { ReadDb } from '../platform/database/open.ts'
import { gatherer, lastStep } from './gather.ts'
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
 * What an execution that has succeeded gave: in its last record stands the step that finished last. Where that is a loop, its output is put
 * together of all records; and where the last record holds none, because somebody else has brought the last step, it is in one before.
 */
export const outputOf = async (db: ReadDb, id: string, final: RecordBody): Promise<Json> => {
  let last = lastStep(final.steps)
  if (last !== undefined && last.gathered !== true) return last.output
  if (last === undefined && final.trigger !== undefined) return final.trigger.payload
  let payload: Json = null
  const gathered = gatherer()
  for (let next = 0; ;) {
    const rows = await recordsOf(db, id, next)
    for (const { body } of rows) {
      gathered.add(body)
      last = lastStep(body.steps) ?? last
      payload = body.trigger?.payload ?? payload
    }
    if (rows.length < record_batch) return last === undefined ? payload : gathered.outputOf(last)
    next += rows.length
  }
}
