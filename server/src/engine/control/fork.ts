import type { Json } from '../../lib/json.ts'
import type { CompiledVersion } from '../compile.ts'
import { gatherer } from '../gather.ts'
import { type Forkable, forkAt, type Incompatibility } from '../graph/fork.ts'
import type { Step } from '../graph/plan.ts'
import { type JournalSource, recordsOf } from '../read-records.ts'
import type { Versions } from '../versions.ts'

export interface ForkRequest {
  readonly execution_id: string
  /** Where it goes on; null: from the start. */
  readonly node_id: string | null
  /** That of the execution when null. */
  readonly version: number | null
}

/** What a new execution begins with. */
export interface ForkPlan {
  readonly workspace_id: string
  readonly workflow_id: string
  readonly version: number
  readonly mode: 'live' | 'test'
  readonly trigger_type: string
  readonly trigger_node_id: string
  readonly payload: Json
  readonly kept: readonly Step[]
  /** Why it cannot; then nothing is kept. */
  readonly problems: readonly Incompatibility[]
}

/** Rejects with `engine.unknown_version`. */
export const planFork = async (source: JournalSource, versions: Versions, request: ForkRequest): Promise<ForkPlan | null> => {
  const { execution_id, node_id } = request
  const row = await source.db
    .selectFrom('executions')
    .select(['workspace_id', 'workflow_id', 'version', 'mode', 'trigger_type', 'trigger_node_id'])
    .where('id', '=', execution_id)
    .where('mode', '<>', 'job')
    .executeTakeFirst()
  if (row === undefined) return null
  const version = request.version ?? row.version
  const [from, to] = [await versions.get(row.workflow_id, row.version), await versions.get(row.workflow_id, version)]
  const { payload, steps } = await settledSteps(source, execution_id)
  const fired = { node_id: row.trigger_node_id, payload, at: 0 }
  const fork = forkAt({ from: forkable(from), to: forkable(to), fired, node_id, steps })
  return {
    ...row,
    mode: row.mode as ForkPlan['mode'],
    version,
    payload,
    kept: fork.ok ? fork.kept : [],
    problems: fork.ok ? [] : fork.problems,
  }
}

const forkable = ({ graph, nodes, triggerType }: CompiledVersion): Forkable => ({
  graph,
  typeOf: (id) => nodes[graph.index.get(id) ?? -1]?.type.type,
  fires: (id) => triggerType(id) !== null,
})

/** The steps outside of loops that have ended, as far as the journal tells, loops with what they gave. */
const settledSteps = async (source: JournalSource, id: string): Promise<{ readonly payload: Json; readonly steps: readonly Step[] }> => {
  const gathered = gatherer()
  const steps: Step[] = []
  let payload: Json = null
  for (let next = 0; ;) {
    const { rows, more } = await recordsOf(source, id, next)
    for (const { body } of rows) {
      payload = body.trigger?.payload ?? payload
      gathered.add(body)
      for (const step of body.steps)
        if (step.path === undefined && step.port !== null) steps.push({ ...step, output: gathered.outputOf(step) })
    }
    if (!more) return { payload, steps }
    next += rows.length
  }
}
