import type { ReadDb } from '../platform/database/open.ts'
import type { Finished } from './contract.ts'
import type { Definition } from './graph/definition.ts'
import type { HttpReply } from './node.ts'
import { type JournalSource, lastRecord, outputOf, recordsOf } from './read-records.ts'

/** How an execution that another process may hold has ended: its last record says it. Null while it goes on, or when there is none of this id. */
export const readFinished = async (source: JournalSource, execution_id: string): Promise<Finished | null> => {
  const final = await lastRecord(source, execution_id)
  const ending = final?.body.ending
  if (final === undefined || ending === undefined) return null
  const output = ending.status === 'succeeded' ? await outputOf(source, execution_id, final) : null
  return { status: ending.status, output, error: ending.error }
}

/** What the first `http.respond` of an execution answered; undefined while that is open, null when it has ended without. */
export type ReplySearch = () => Promise<HttpReply | null | undefined>

/** Looks for the reply of an execution, each time only at what its journal has gained since. */
export const replySearch = (source: JournalSource, execution_id: string): ReplySearch => {
  let responding: ReadonlySet<string> | null = null
  let next = 0
  let ended = false
  return async () => {
    responding ??= await respondingNodes(source.db, execution_id)
    if (responding === null) return undefined
    if (responding.size === 0) {
      const final = await lastRecord(source, execution_id)
      return final?.body.ending === undefined ? undefined : null
    }
    for (;;) {
      const { rows, more } = await recordsOf(source, execution_id, next)
      for (const { seq, body } of rows) {
        const said = body.steps.find(({ node_id, status }) => status === 'succeeded' && responding?.has(node_id))
        if (said !== undefined) return { headers: {}, ...(said.output as unknown as Omit<HttpReply, 'headers'>) }
        // One that has ended may have been told to go on since.
        ended = body.ending !== undefined
        next = seq + 1
      }
      if (!more) return ended ? null : undefined
    }
  }
}

/** Null when there is no such execution. */
const respondingNodes = async (db: ReadDb, execution_id: string): Promise<ReadonlySet<string> | null> => {
  const row = await db
    .selectFrom('executions as e')
    .leftJoin('engine_versions as v', (join) => join.onRef('v.workflow_id', '=', 'e.workflow_id').onRef('v.version', '=', 'e.version'))
    .select('v.definition')
    .where('e.id', '=', execution_id)
    .executeTakeFirst()
  if (row === undefined) return null
  const { nodes } = (row.definition ?? { nodes: [] }) as unknown as Pick<Definition, 'nodes'>
  return new Set(nodes.flatMap(({ id, type }) => (type === 'http.respond' ? [id] : [])))
}
