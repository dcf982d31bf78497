import type { ReadDb } from '../platform/database/open.ts'
import type { Finished, FinalStatus } from './contract.ts'
import { gatherer, lastStep } from './gather.ts'
import type { Definition } from './graph/definition.ts'
import type { RecordBody } from './journal/record.ts'
import type { HttpReply } from './node.ts'

/** What an execution has come to, as far as its journal tells. */
export interface KnownOutcome {
  /** What the first `http.respond` answered; null while none has. */
  readonly reply: HttpReply | null
  /** Null while it goes on. */
  readonly finished: Finished | null
}

/** For whoever asks after an execution that another process may hold. Undefined when there is none of this id. */
export const readOutcome = async (db: ReadDb, execution_id: string): Promise<KnownOutcome | undefined> => {
  const [row, records] = await Promise.all([
    db.selectFrom('executions').select(['workflow_id', 'version']).where('id', '=', execution_id).executeTakeFirst(),
    db.selectFrom('execution_records').select('body').where('execution_id', '=', execution_id).orderBy('seq').execute(),
  ])
  if (row === undefined) return undefined
  const bodies = records.map((record) => record.body as unknown as RecordBody)
  const steps = bodies.flatMap((body) => body.steps).filter((step) => step.retry_at === null)
  const ending = bodies.at(-1)?.ending
  const gathered = gatherer()
  for (const body of bodies) gathered.add(body)
  const last = lastStep(steps)
  const output = last === undefined ? (bodies[0]?.trigger?.payload ?? null) : gathered.outputOf(last)
  return {
    reply: await replyIn(db, row, steps),
    finished:
      ending === undefined
        ? null
        : { status: ending.status satisfies FinalStatus, output: ending.status === 'succeeded' ? output : null, error: ending.error },
  }
}

const replyIn = async (
  db: ReadDb,
  { workflow_id, version }: { readonly workflow_id: string; readonly version: number },
  steps: RecordBody['steps'],
): Promise<HttpReply | null> => {
  const deployed = await db
    .selectFrom('engine_versions')
    .select('definition')
    .where('workflow_id', '=', workflow_id)
    .where('version', '=', version)
    .executeTakeFirst()
  const { nodes } = (deployed?.definition ?? { nodes: [] }) as unknown as Pick<Definition, 'nodes'>
  const responding = new Set(nodes.flatMap(({ id, type }) => (type === 'http.respond' ? [id] : [])))
  const said = steps.find(({ node_id, status }) => responding.has(node_id) && status === 'succeeded')
  return said === undefined ? null : { headers: {}, ...(said.output as unknown as Omit<HttpReply, 'headers'>) }
}
