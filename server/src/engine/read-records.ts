import { sql } from 'kysely'
import type { Json } from '../lib/json.ts'
import type { Ctx } from '../platform/context.ts'
import { gatherer, lastStep } from './gather.ts'
import type { Step } from './graph/plan.ts'
import { wholeBody } from './journal/large-records.ts'
import type { RecordBody } from './journal/record.ts'

/** Where a journal is read: its rows in the scope of a context, and what is large of it in the blob store. */
export type JournalSource = Pick<Ctx, 'db' | 'use'>

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

/** What a record takes when it is read. Of a large one its row says it, where no data of a customer can: at the beginning. */
const bytes = sql<number>`
  case
    when octet_length(body::text) < 256 then
      coalesce(substring(body::text from '^\\{"blob":\\{"size":([0-9]{1,15}),')::float8, octet_length(body::text))
    else octet_length(body::text)
  end`

const whole = async (source: JournalSource, id: string, { seq, body }: { seq: number; body: unknown }): Promise<RecordRow> => ({
  seq,
  body: await wholeBody(source, id, seq, body as RecordBody),
})

/**
 * The next records of an execution, at least one where there is one. This and all that reads records rejects with `blobs.missing`,
 * `blobs.damaged` or `blobs.unavailable` where a large one cannot be read.
 */
export const recordsOf = async (source: JournalSource, id: string, from: number): Promise<RecordBatch> => {
  const { db } = source
  const sized = db
    .selectFrom('execution_records')
    .select(['seq', 'body', bytes.as('bytes')])
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
  const read: RecordRow[] = []
  for (const row of rows) read.push(await whole(source, id, row))
  return { rows: read, more: rows.length === batch.records || upto >= batch.bytes }
}

export const firstRecord = async (source: JournalSource, id: string): Promise<RecordRow | undefined> => {
  const row = await source.db
    .selectFrom('execution_records')
    .select(['seq', 'body'])
    .where('execution_id', '=', id)
    .where('seq', '=', 0)
    .executeTakeFirst()
  return row === undefined ? undefined : whole(source, id, row)
}

export const lastRecord = async (source: JournalSource, id: string): Promise<RecordRow | undefined> => {
  const row = await source.db
    .selectFrom('execution_records')
    .select(['seq', 'body'])
    .where('execution_id', '=', id)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row === undefined ? undefined : whole(source, id, row)
}

/**
 * What an execution that has succeeded gave: the output of the step that finished last, in its last record or shortly before. Where that is a
 * loop, its output is put together of all records.
 */
export const outputOf = async (source: JournalSource, id: string, final: RecordRow): Promise<Json> => {
  const last = await stepBefore(source, id, final)
  if (last === null) return (await firstRecord(source, id))?.body.trigger?.payload ?? null
  if (last.gathered !== true) return last.output
  const gathered = gatherer()
  for (let next = 0; ;) {
    const { rows, more } = await recordsOf(source, id, next)
    for (const { body } of rows) gathered.add(body)
    if (!more) return gathered.outputOf(last)
    next += rows.length
  }
}

const stepBefore = async (source: JournalSource, id: string, final: RecordRow): Promise<Step | null> => {
  let found = lastStep(final.body.steps)
  for (let seq = final.seq; found === undefined && seq > 0;) {
    const rows = await source.db
      .selectFrom('execution_records')
      .select(['seq', 'body'])
      .where('execution_id', '=', id)
      .where('seq', '<', seq)
      .orderBy('seq', 'desc')
      .limit(10)
      .execute()
    for (const row of rows) if (found === undefined) found = lastStep((await whole(source, id, row)).body.steps)
    seq = rows.at(-1)?.seq ?? 0
  }
  return found ?? null
}
