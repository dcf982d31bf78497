import { sql } from 'kysely'
import type { Json } from '../lib/json.ts'
import type { ReadDb } from '../platform/database/open.ts'
import { gatherer, lastStep } from './gather.ts'
import type { Step } from './graph/plan.ts'
import type { RecordBody } from './journal/record.ts'

export interface RecordRow {
  readonly seq: number
  readonly body: RecordBody
}

/** Read at a time, whichever comes first: a journal may be longer than there is memory for, and a record some megabytes large. */
const batch = { records: 100, bytes: 4 * 1024 * 1024 }

export interface RecordBatch {
  readonly rows: readonly RecordRow[]
  /** There may be others behind. */
  readonly more: boolean
}

/** The next records of an execution, at least one where there is one. */
export const recordsOf = async (db: ReadDb, id: string, from: number): Promise<RecordBatch> => {
  const sized = db
    .selectFrom('execution_records')
    .select(['seq', 'body', sql<number>`octet_length(body::text)`.as('bytes')])
    .where('execution_id', '=', id)
    .where('seq', '>=', from)
    .orderBy('seq')
    .limit(batch.records)
  const summed = db
    .selectFrom(sized.as('sized'))
    .select(['seq', 'body', 'bytes', sql<number>`(sum(bytes) over (order by seq))::float8`.as('upto')])
  const rows = await db
    .selectFrom(summed.as('summed'))
    .select(['seq', 'body', 'upto'])
    .where(sql<boolean>`upto - bytes < ${batch.bytes}`)
    .orderBy('seq')
    .execute()
  const upto = rows.at(-1)?.upto ?? 0
  return { rows: rows as unknown as readonly RecordRow[], more: rows.length === batch.records || upto >= batch.bytes }
}

export const firstRecord = async (db: ReadDb, id: string): Promise<RecordRow | undefined> => {
  const row = await db
    .selectFrom('execution_records')
    .select(['seq', 'body'])
    .where('execution_id', '=', id)
    .where('seq', '=', 0)
    .executeTakeFirst()
  return row as unknown as RecordRow | undefined
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
  if (last === null) return (await firstRecord(db, id))?.body.trigger?.payload ?? null
  if (last.gathered !== true) return last.output
  const gathered = gatherer()
  for (let next = 0; ;) {
    const { rows, more } = await recordsOf(db, id, next)
    for (const { body } of rows) gathered.add(body)
    if (!more) return gathered.outputOf(last)
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
