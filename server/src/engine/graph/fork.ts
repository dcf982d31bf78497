import { reachable } from './ancestry.ts'
import type { Graph, GraphNode } from './graph.ts'
import { begin, type Fired, isDecided, type Run, settle, type Step } from './plan.ts'

/** A version, as far as a fork must know it. */
export interface Forkable {
  readonly graph: Graph
  /** The type of a node; undefined where there is none of this id. */
  readonly typeOf: (node_id: string) => string | undefined
  /** A trigger of this id may fire. */
  readonly fires: (node_id: string) => boolean
}

/** Why an execution cannot go on from a node, in a version. */
export interface Incompatibility {
  readonly node_id: string
  readonly message: string
}

export type Fork =
  | { readonly ok: true; /** In an order in which they may have happened. */ readonly kept: readonly Step[] }
  | { readonly ok: false; readonly problems: readonly Incompatibility[] }

/**
 * What a new execution keeps of another one to run anew from `node_id`: the steps that do not depend on it. In another version each of them must be
 * there with the same id and type, left by a port that it has, with all that it depends on kept as well; and they must lead to the node.
 * `steps`: those outside of loops that have ended, in their order, loops with what they gave. `node_id` null: from the start.
 */
export const forkAt = (input: {
  readonly from: Forkable
  readonly to: Forkable
  readonly fired: Fired
  readonly node_id: string | null
  readonly steps: readonly Step[]
}): Fork => {
  const { from, to, fired, node_id } = input
  const trigger = fired.node_id
  if (!to.fires(trigger)) return refused([{ node_id: trigger, message: 'There is no such trigger there, or it is disabled' }])
  if (from.typeOf(trigger) !== to.typeOf(trigger)) return refused([{ node_id: trigger, message: otherType(from, to, trigger) }])
  if (node_id === null || node_id === trigger) return { ok: true, kept: [] }
  if (!from.graph.index.has(node_id)) return refused([{ node_id, message: 'The execution has no such node outside of loops' }])
  if (!to.graph.index.has(node_id)) return refused([{ node_id, message: 'There is no such node there' }])
  const wanted = upstream(from.graph, node_id, input.steps)
  const problems = wanted.flatMap((step) => misfit(from, to, step))
  if (problems.length > 0) return refused(problems)
  const { run, kept, left } = settleAll(to.graph, fired, wanted)
  if (left.length > 0) return refused(left.map((step) => unsettled(run, step.node_id)))
  if (!run.open.has(to.graph.index.get(node_id) as number)) return refused([unsettled(run, node_id)])
  return { ok: true, kept }
}

const refused = (problems: readonly Incompatibility[]): Fork => ({ ok: false, problems })

/** The steps that do not depend on a node, as those of a new execution: their first attempt is the one that counted. */
const upstream = (graph: Graph, node_id: string, steps: readonly Step[]): readonly Step[] => {
  const outs = graph.nodes.map((node) => node.outs.map(({ to }) => to))
  const after = reachable({ ins: [], outs }, [graph.index.get(node_id) as number])
  return steps
    .filter((step) => step.port !== null && step.retry_at === null && step.stop !== true)
    .filter((step) => !after.has(graph.index.get(step.node_id) as number))
    .map(({ gathered: _, ...step }) => ({ ...step, attempt: 1, copied: true }))
}

const otherType = (from: Forkable, to: Forkable, id: string): string =>
  `It is a ${to.typeOf(id)} there, and was a ${from.typeOf(id)} in this execution`

const misfit = (from: Forkable, to: Forkable, { node_id, port, ports }: Step): readonly Incompatibility[] => {
  const node = to.graph.nodes[to.graph.index.get(node_id) ?? -1]
  if (node === undefined) return [{ node_id, message: 'There is no such node there' }]
  if (from.typeOf(node_id) !== to.typeOf(node_id)) return [{ node_id, message: otherType(from, to, node_id) }]
  const missing = (ports ?? [port ?? 'out']).find((name) => name !== 'error' && !node.ports.includes(name))
  return missing === undefined ? [] : [{ node_id, message: `It was left by the port "${missing}", which it does not have there` }]
}

/** Each step when its turn has come; what comes earlier in a version may come later in another one. */
const settleAll = (graph: Graph, fired: Fired, steps: readonly Step[]) => {
  const run = begin(graph, fired)
  const kept: Step[] = []
  let left = steps
  for (let before = -1; left.length !== before;) {
    before = left.length
    const waiting: Step[] = []
    for (const step of left) {
      if (!run.open.has(graph.index.get(step.node_id) as number)) waiting.push(step)
      else {
        settle(run, step)
        kept.push(step)
      }
    }
    left = waiting
  }
  return { run, kept, left }
}

const most_named = 5

/** Why it is not the turn of a node. */
const unsettled = (run: Run, node_id: string): Incompatibility => {
  const node = run.graph.nodes[run.graph.index.get(node_id) as number] as GraphNode
  const missing = new Set(node.ins.map((edge) => edge.from).filter((from) => !isDecided(run, from)))
  const names = [...missing].slice(0, most_named).map((index) => `"${(run.graph.nodes[index] as GraphNode).id}"`)
  if (names.length === 0) return { node_id, message: 'Nothing that is kept leads to it there' }
  return { node_id, message: `It depends on ${names.join(', ')}, of which nothing is kept` }
}
