import type { Json, JsonObject } from '../../lib/json.ts'
import type { Graph, GraphNode } from './graph.ts'

/** The error of an attempt whose node asked for another turn at a later time. */
export const again_code = 'node.again'

export interface StepError {
  readonly code: string
  readonly message: string
  readonly details: JsonObject | null
}

/** One settled attempt of a node, as the journal holds it. */
export interface Step {
  readonly node_id: string
  /** 1 for the first try. */
  readonly attempt: number
  readonly status: 'succeeded' | 'failed'
  /** The port it left through. On a failed attempt: null when it ends the execution or will be tried again. */
  readonly port: string | null
  /** All of them where it left through several at once; `port` is the first. */
  readonly ports?: readonly string[]
  /** It ended the execution, with its output. */
  readonly stop?: true
  readonly output: Json
  readonly error: StepError | null
  /** Unix milliseconds. */
  readonly started_at: number
  readonly finished_at: number
  /** Set on a failed attempt that will be tried again. */
  readonly retry_at: number | null
}

/** A node whose turn it is. */
export interface Ready {
  readonly index: number
  readonly node_id: string
  readonly attempt: number
  /** Unix milliseconds; null: at once. */
  readonly not_before: number | null
}

export interface Outcome {
  readonly status: 'succeeded' | 'failed' | 'timed_out'
  readonly output: Json
  readonly error: (StepError & { readonly node_id: string | null }) | null
}

export interface Fired {
  readonly node_id: string
  readonly payload: Json
  /** When the execution started, Unix milliseconds. */
  readonly at: number
}

const untouched = 0
const open = 1
const settled = 2
const dead = 3

/**
 * State folded from a journal. Used linearly: `settle` changes it in place, so that a step costs what leaves its node and not the
 * size of the graph. Only this file writes it.
 */
export interface Run {
  readonly graph: Graph
  readonly fired: Fired
  readonly states: number[]
  /** Incoming edges that are not settled yet, per node. */
  readonly unsettled: number[]
  /** Incoming edges that are live, per node. */
  readonly live: number[]
  readonly edge_live: boolean[]
  readonly outputs: (Json | undefined)[]
  /** Nodes that should be running or wait for their retry, in the order they became so. */
  readonly open: Set<number>
  /** Last failed attempt of the nodes that wait for their retry. `failures`: how many in a row; a node that asked for another turn has not failed. */
  readonly retries: Map<number, { readonly attempt: number; readonly retry_at: number; readonly failures: number }>
  /** For a merge that takes the first: the node that was. */
  readonly firsts: Map<number, number>
  last: number
  failed: (StepError & { readonly node_id: string }) | null
  /** A step has ended the execution as succeeded. */
  stopped: boolean
}

/** The execution has ended, whatever is still open. */
export const isOver = (run: Run): boolean => run.failed !== null || run.stopped

/** The node leaves through `port` (null: it never ran), or through several. Everything that this decides is decided, however far down. */
const leave = (run: Run, from: number, port: string | readonly string[] | null, ready: Ready[]): void => {
  const { nodes } = run.graph
  const queue: { index: number; port: string | readonly string[] | null }[] = [{ index: from, port }]
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const edge of (nodes[next.index] as GraphNode).outs) {
      const to = edge.to
      const is_live = edge.port === next.port || (typeof next.port === 'object' && next.port !== null && next.port.includes(edge.port))
      run.unsettled[to] = (run.unsettled[to] as number) - 1
      if (is_live) {
        run.live[to] = (run.live[to] as number) + 1
        run.edge_live[edge.index] = true
      }
      if (run.states[to] !== untouched) continue
      const node = nodes[to] as GraphNode
      if (is_live && node.merge_mode === 'first') run.firsts.set(to, next.index)
      else if (run.unsettled[to] !== 0) continue
      if ((run.live[to] as number) > 0) {
        run.states[to] = open
        run.open.add(to)
        ready.push({ index: to, node_id: node.id, attempt: 1, not_before: null })
      } else {
        run.states[to] = dead
        queue.push({ index: to, port: null })
      }
    }
  }
}

/** The state at the start: the trigger that fired is settled with its payload, every other node without an incoming edge is dead. */
export const begin = (graph: Graph, fired: Fired): Run => {
  const trigger = graph.index.get(fired.node_id)
  if (trigger === undefined) throw new Error(`The graph has no node "${fired.node_id}" to start from`)
  const run: Run = {
    graph,
    fired,
    states: graph.nodes.map(() => untouched),
    unsettled: [...graph.in_counts],
    live: graph.nodes.map(() => 0),
    edge_live: [],
    outputs: [],
    open: new Set(),
    retries: new Map(),
    firsts: new Map(),
    last: trigger,
    failed: null,
    stopped: false,
  }
  run.states[trigger] = settled
  run.outputs[trigger] = fired.payload
  const ready: Ready[] = []
  for (const node of graph.nodes) {
    if (node.ins.length > 0 || node.index === trigger) continue
    run.states[node.index] = dead
    leave(run, node.index, null, ready)
  }
  leave(run, trigger, 'out', ready)
  return run
}

/**
 * Applies one fact and returns what became ready by it; dead paths are pruned, however long. Once the execution has failed or was
 * stopped, further facts change nothing. Throws on a step whose turn it was not: such a journal is damaged.
 */
export const settle = (run: Run, step: Step): readonly Ready[] => {
  const index = run.graph.index.get(step.node_id)
  const before = index === undefined ? undefined : run.retries.get(index)
  const attempt = index === undefined ? 0 : (before?.attempt ?? 0) + 1
  if (index === undefined || !run.open.has(index) || step.attempt !== attempt)
    throw new Error(`The journal holds attempt ${step.attempt} of "${step.node_id}", whose turn it was not`)
  if (isOver(run)) return []
  if (step.retry_at !== null) {
    const failures = step.error?.code === again_code ? 0 : (before?.failures ?? 0) + 1
    run.retries.set(index, { attempt, retry_at: step.retry_at, failures })
    return [{ index, node_id: step.node_id, attempt: attempt + 1, not_before: step.retry_at }]
  }
  run.open.delete(index)
  run.retries.delete(index)
  run.states[index] = settled
  run.last = index
  if (step.status === 'failed' && step.port === null) {
    const error = step.error ?? { code: 'node.unexpected', message: 'The step failed without saying why', details: null }
    run.failed = { ...error, node_id: step.node_id }
    return []
  }
  run.outputs[index] = step.output
  if (step.stop === true) {
    run.stopped = true
    return []
  }
  const ready: Ready[] = []
  leave(run, index, step.ports ?? step.port ?? 'out', ready)
  return ready
}

/** The state after a whole journal. */
export const replay = (graph: Graph, fired: Fired, steps: readonly Step[]): Run => {
  const run = begin(graph, fired)
  for (const step of steps) settle(run, step)
  return run
}

const deadline = (run: Run): number | null => (run.graph.timeout_ms === null ? null : run.fired.at + run.graph.timeout_ms)

/** How the execution ended, or null when it has not. Cheap: asked after every step. */
export const outcomeOf = (run: Run, now: number): Outcome | null => {
  if (run.failed) return { status: 'failed', output: null, error: run.failed }
  if (run.stopped || run.open.size === 0) return { status: 'succeeded', output: run.outputs[run.last] ?? null, error: null }
  const end = deadline(run)
  if (end === null || now < end) return null
  const message = `The execution took longer than the ${run.graph.timeout_ms} ms that the workflow allows`
  return { status: 'timed_out', output: null, error: { code: 'execution.timed_out', message, details: null, node_id: null } }
}

export interface Plan {
  readonly start: readonly Ready[]
  /** When to ask again if nothing happens before, Unix milliseconds. */
  readonly wake_at: number | null
  readonly outcome: Outcome | null
}

/**
 * When an execution that only waits goes on by itself, Unix milliseconds: its first retry or its time limit. Null when a node of it is
 * not waiting for its retry.
 */
export const wakeAt = (run: Run): number | null => {
  if (run.open.size === 0 || run.open.size > run.retries.size) return null
  const times = [...run.retries.values()].map(({ retry_at }) => retry_at)
  return Math.min(...times, deadline(run) ?? Infinity)
}

/** Everything that should be running, from the folded state alone. The same journal gives the same plan. */
export const plan = (run: Run, now: number): Plan => {
  const outcome = outcomeOf(run, now)
  if (outcome) return { start: [], wake_at: null, outcome }
  const start: Ready[] = []
  let wake_at = deadline(run)
  for (const index of run.open) {
    const retry = run.retries.get(index)
    if (retry && retry.retry_at > now) {
      if (wake_at === null || retry.retry_at < wake_at) wake_at = retry.retry_at
      continue
    }
    const node_id = (run.graph.nodes[index] as GraphNode).id
    start.push({ index, node_id, attempt: (retry?.attempt ?? 0) + 1, not_before: retry?.retry_at ?? null })
  }
  return { start, wake_at, outcome: null }
}

/** Output of a node that has settled with one; undefined when it has not, or is dead. */
export const outputOf = (run: Run, node_id: string): Json | undefined => {
  const index = run.graph.index.get(node_id)
  return index === undefined ? undefined : run.outputs[index]
}

/** The outputs so far, by node id. */
export const outputsOf = (run: Run): { readonly [node_id: string]: Json } => {
  const outputs: { [node_id: string]: Json } = {}
  for (const node of run.graph.nodes) {
    const output = run.outputs[node.index]
    if (output !== undefined) outputs[node.id] = output
  }
  return outputs
}

/** What a node that is ready runs with: `inputs` by node id, and `input`, the one there is or else all of them. */
export const inputsOf = (run: Run, index: number): { readonly input: Json; readonly inputs: JsonObject } => {
  const node = run.graph.nodes[index] as GraphNode
  const first = run.firsts.get(index)
  const inputs: { [node_id: string]: Json } = {}
  let count = 0
  let input: Json = null
  for (const edge of node.ins) {
    if (run.edge_live[edge.index] !== true || (first !== undefined && edge.from !== first)) continue
    const { id } = run.graph.nodes[edge.from] as GraphNode
    if (Object.hasOwn(inputs, id)) continue
    input = run.outputs[edge.from] ?? null
    inputs[id] = input
    count += 1
  }
  return { input: count === 1 ? input : inputs, inputs }
}

/** What a node without work of its own (`passes_through`) leaves with: a merge of all gives its inputs by node id. */
export const passOn = (run: Run, index: number): { readonly output: Json; readonly port: string } => {
  const node = run.graph.nodes[index] as GraphNode
  const { input, inputs } = inputsOf(run, index)
  return { output: node.merge_mode === 'all' && !node.disabled ? inputs : input, port: node.ports[0] ?? 'out' }
}
