import type { Json, JsonObject } from '../../lib/json.ts'
import type { Graph, GraphNode } from './graph.ts'
import { closeTurn, itemOf, openRegion, passTurns, type Region, type RegionSpec, resultOf, type Turns, turnsDue } from './region.ts'

/** The error of an attempt whose node asked for another turn at a later time. */
export const again_code = 'node.again'
/** The same, and it is woken before that if what it waits for happens. */
export const asleep_code = 'node.asleep'

export interface StepError {
  readonly code: string
  readonly message: string
  readonly details: JsonObject | null
}

/** One settled attempt of a node, as the journal holds it. */
export interface Step {
  readonly node_id: string
  /** Where it stands in a loop: `loop[3].fetch`. Without it the path is the node's id. */
  readonly path?: string
  /** 1 for the first try. */
  readonly attempt: number
  readonly status: 'succeeded' | 'failed'
  /** The port it left through. On a failed attempt: null when it ends the execution or will be tried again. */
  readonly port: string | null
  /** All of them where it left through several at once; `port` is the first. */
  readonly ports?: readonly string[]
  /** It ended the execution. */
  readonly stop?: true
  readonly output: Json
  /** The output is what the turns of the region gave, and is not recorded again. */
  readonly gathered?: true
  /** It was not done: a dry run says what would have been. */
  readonly dry?: JsonObject
  readonly error: StepError | null
  /** Unix milliseconds. */
  readonly started_at: number
  readonly finished_at: number
  /** Set on a failed attempt that will be tried again. */
  readonly retry_at: number | null
  /** What another execution had done from which this one was forked. */
  readonly copied?: true
  /** It had ended the execution, which was tried again since. Never recorded: a later record says so. */
  readonly forgiven?: true
}

/** A node whose turn it is. */
export interface Ready {
  readonly run: Run
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

/** Where the run of a body stands. */
export interface Place {
  readonly outer: Run
  /** The region in it. */
  readonly index: number
  readonly turn: number
  readonly item: Json
}

/**
 * State folded from a journal: of the whole, or of one turn of a region's body. Used linearly: `settle` changes it in place, so that a step costs what leaves its node and not the
 * size of the graph. Only this file writes it.
 */
export interface Run {
  readonly graph: Graph
  readonly fired: Fired
  /** Null: the whole. */
  readonly place: Place | null
  /** The regions that are open; null: there was none yet. */
  regions: Map<number, Region> | null
  /** From when its time limit counts, Unix milliseconds. */
  clock: number
  /** What its steps have given, as whoever runs it counts that. */
  chars: number
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
  readonly retries: Map<
    number,
    { readonly attempt: number; readonly retry_at: number; readonly failures: number; readonly asleep: boolean }
  >
  /** For a merge that takes the first: the node that was. */
  readonly firsts: Map<number, number>
  last: number
  failed: (StepError & { readonly node_id: string }) | null
  /** A step has ended the execution as succeeded, with this output. */
  stopped: { readonly output: Json } | null
}

/** The execution has ended, whatever is still open. */
export const isOver = (run: Run): boolean => run.failed !== null || run.stopped !== null

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
        ready.push({ run, index: to, node_id: node.id, attempt: 1, not_before: null })
      } else {
        run.states[to] = dead
        queue.push({ index: to, port: null })
      }
    }
  }
}

const untouchedRun = (graph: Graph, fired: Fired, place: Place | null, last: number): Run => ({
  graph,
  fired,
  place,
  regions: null,
  clock: fired.at,
  chars: 0,
  states: graph.nodes.map(() => untouched),
  unsettled: [...graph.in_counts],
  live: graph.nodes.map(() => 0),
  edge_live: [],
  outputs: [],
  open: new Set(),
  retries: new Map(),
  firsts: new Map(),
  last,
  failed: null,
  stopped: null,
})

/** The state at the start: the trigger that fired is settled with its payload, every other node without an incoming edge is dead. */
export const begin = (graph: Graph, fired: Fired): Run => {
  const trigger = graph.index.get(fired.node_id)
  if (trigger === undefined) throw new Error(`The graph has no node "${fired.node_id}" to start from`)
  const run = untouchedRun(graph, fired, null, trigger)
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
export const settle = (root: Run, step: Step): readonly Ready[] => {
  const run = step.path === undefined ? root : runAt(root, step.path)
  const index = run?.graph.index.get(step.node_id)
  if (run === null || index === undefined) throw outOfTurn(step)
  return settleIn(run, index, step)
}

const outOfTurn = ({ attempt, path, node_id }: Step): Error =>
  new Error(`The journal holds attempt ${attempt} of "${path ?? node_id}", whose turn it was not`)

/** The same, where the run is known that the step belongs to. */
export const settleIn = (run: Run, index: number, step: Step): readonly Ready[] => {
  const before = run.retries.get(index)
  const attempt = (before?.attempt ?? 0) + 1
  if (!run.open.has(index) || step.attempt !== attempt) throw outOfTurn(step)
  if (isOver(run) || (run.place !== null && (regionAround(run.place)?.failed ?? null) !== null)) return []
  if (step.retry_at !== null) {
    const code = step.error?.code
    const asleep = code === asleep_code
    const failures = code === again_code || step.forgiven === true ? 0 : (before?.failures ?? 0) + (asleep ? 0 : 1)
    run.retries.set(index, { attempt, retry_at: step.retry_at, failures, asleep })
    return [{ run, index, node_id: step.node_id, attempt: attempt + 1, not_before: step.retry_at }]
  }
  const output = step.gathered === true ? gathered(run, index, step) : step.output
  run.open.delete(index)
  run.retries.delete(index)
  run.regions?.delete(index)
  run.states[index] = settled
  run.last = index
  if (step.status === 'failed' && step.port === null) {
    const error = step.error ?? { code: 'node.unexpected', message: 'The step failed without saying why', details: null }
    run.failed = { ...error, node_id: step.node_id }
    if (step.stop === true) rootOf(run).failed = run.failed
    return run.place === null ? [] : endTurn(run, run.place)
  }
  run.outputs[index] = output
  if (step.stop === true) {
    rootOf(run).stopped = { output }
    return []
  }
  const ready: Ready[] = []
  leave(run, index, step.ports ?? step.port ?? 'out', ready)
  return run.place !== null && run.open.size === 0 ? endTurn(run, run.place) : ready
}

const rootOf = (run: Run): Run => (run.place === null ? run : rootOf(run.place.outer))

const gathered = (run: Run, index: number, step: Step): Json => {
  const region = run.regions?.get(index)
  if (region === undefined) throw outOfTurn(step)
  return resultOf(region)
}

export const regionAround = ({ outer, index }: Place): Region | undefined => outer.regions?.get(index)

const lookAfter = (run: Run, index: number): Ready => {
  const { id } = run.graph.nodes[index] as GraphNode
  return { run, index, node_id: id, attempt: (run.retries.get(index)?.attempt ?? 0) + 1, not_before: null }
}

const endTurn = (run: Run, place: Place): readonly Ready[] => {
  const region = regionAround(place)
  if (region === undefined) return []
  closeTurn(region, run)
  return turnsDue(region) > 0 ? [lookAfter(place.outer, place.index)] : []
}

/** Opens the region that a node is; answers with it once for each turn that may begin. */
export const openIn = (run: Run, index: number, spec: RegionSpec): readonly Ready[] => {
  if (!run.open.has(index) || run.regions?.has(index) === true) throw new Error('A region is opened whose turn it was not')
  const region = openRegion(spec)
  run.regions ??= new Map()
  run.regions.set(index, region)
  return Array.from({ length: turnsDue(region) }, () => lookAfter(run, index))
}

/** The node has ended, or never will begin. */
export const isDecided = ({ states }: Run, index: number): boolean => states[index] === settled || states[index] === dead

export const regionOf = (run: Run, index: number): Region | undefined => run.regions?.get(index)

/** Begins the next turn of an open region: all nodes of its body that nothing comes before are ready. */
export const beginTurn = (outer: Run, index: number): readonly Ready[] => {
  const region = regionOf(outer, index)
  const body = outer.graph.nodes[index]?.region?.body
  if (region === undefined || body === undefined) throw new Error('A turn begins of what is no open region')
  const turn = region.next
  region.next += 1
  const run = untouchedRun(body, outer.fired, { outer, index, turn, item: itemOf(region, turn) }, -1)
  region.running.push(run)
  const ready: Ready[] = []
  for (const node of body.nodes) {
    if (node.ins.length > 0) continue
    run.states[node.index] = open
    run.open.add(node.index)
    ready.push({ run, index: node.index, node_id: node.id, attempt: 1, not_before: null })
  }
  return ready
}

/** False: it is a turn that has ended, or of a region that has, so nobody wants what it would still give. */
export const isWanted = (run: Run): boolean => {
  const { place } = run
  if (place === null) return true
  return regionAround(place)?.running.includes(run) === true && isWanted(place.outer)
}

/** What stands before the ids of its nodes in their paths: `loop[3].`. */
export const prefixOf = ({ place }: Run): string => {
  if (place === null) return ''
  const { id } = place.outer.graph.nodes[place.index] as GraphNode
  return `${prefixOf(place.outer)}${id}[${place.turn}].`
}

/** The run that a path leads to; turns on the way that had nothing to record yet begin. Null: there is none. */
export const runAt = (root: Run, path: string): Run | null => {
  const parts = path.split('.')
  let run = root
  for (const part of parts.slice(0, -1)) {
    const [, id = '', number = ''] = /^([\w-]+)\[(\d+)\]$/.exec(part) ?? []
    const index = run.graph.index.get(id)
    const region = index === undefined ? undefined : regionOf(run, index)
    if (index === undefined || region === undefined) return null
    const turn = Number(number)
    while (region.next <= turn) beginTurn(run, index)
    const found = region.running.find(({ place }) => place?.turn === turn)
    if (found === undefined) return null
    run = found
  }
  return run
}

/** Applies turns that were recorded as a whole, of the region at `path`. */
export const settleTurns = (root: Run, path: string, turns: Turns): void => {
  const run = runAt(root, path)
  const index = run?.graph.index.get(path.slice(path.lastIndexOf('.') + 1))
  const region = run === null || index === undefined ? undefined : regionOf(run, index)
  if (region === undefined) throw new Error(`The journal holds turns of "${path}", whose turn it was not`)
  passTurns(region, turns)
}

/** The state after a whole journal. */
export const replay = (graph: Graph, fired: Fired, steps: readonly Step[]): Run => {
  const run = begin(graph, fired)
  for (const step of steps) settle(run, step)
  return run
}

/** When its time limit is reached, Unix milliseconds; null: it has none. */
export const deadline = (run: Run): number | null => (run.graph.timeout_ms === null ? null : run.clock + run.graph.timeout_ms)

/** How the execution ended, or null when it has not. Cheap: asked after every step. */
export const outcomeOf = (run: Run, now: number): Outcome | null => {
  if (run.failed) return { status: 'failed', output: null, error: run.failed }
  if (run.stopped !== null) return { status: 'succeeded', output: run.stopped.output, error: null }
  if (run.open.size === 0) return { status: 'succeeded', output: run.outputs[run.last] ?? null, error: null }
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
 * When an execution that only waits goes on by itself, Unix milliseconds: its first retry or its time limit; `asleep`: nothing of it is to be
 * held until then. Null when a node of it is not waiting for its retry.
 */
export const wakeAt = (run: Run): { readonly at: number; readonly asleep: boolean } | null => {
  if (run.open.size === 0) return null
  const first = firstRetry(run)
  return first === null ? null : { at: Math.min(first.at, deadline(run) ?? Infinity), asleep: first.asleep }
}

const firstRetry = (run: Run): { readonly at: number; readonly asleep: boolean } | null => {
  let at = Infinity
  let asleep = true
  for (const index of run.open) {
    const region = regionOf(run, index)
    if (region === undefined) {
      const retry = run.retries.get(index)
      if (retry === undefined) return null
      at = Math.min(at, retry.retry_at)
      asleep &&= retry.asleep
      continue
    }
    if (turnsDue(region) > 0) return null
    for (const turn of region.running) {
      const own = firstRetry(turn)
      if (own === null) return null
      at = Math.min(at, own.at)
      asleep &&= own.asleep
    }
  }
  return { at, asleep }
}

/** Everything that should be running, from the folded state alone. The same journal gives the same plan. */
export const plan = (run: Run, now: number): Plan => {
  const outcome = outcomeOf(run, now)
  if (outcome) return { start: [], wake_at: null, outcome }
  const start: Ready[] = []
  let wake_at = deadline(run)
  for (const next of openOnes(run)) {
    if (next.not_before === null || next.not_before <= now) start.push(next)
    else if (wake_at === null || next.not_before < wake_at) wake_at = next.not_before
  }
  return { start, wake_at, outcome: null }
}

/** All that should be running or waits for its retry, in the turns of open regions too. */
export const openOnes = (run: Run): readonly Ready[] => {
  const found: Ready[] = []
  for (const index of run.open) {
    const region = regionOf(run, index)
    if (region !== undefined) {
      if (region.failed === null) for (const turn of region.running) found.push(...openOnes(turn))
      for (let due = turnsDue(region); due > 0; due -= 1) found.push(lookAfter(run, index))
      continue
    }
    const retry = run.retries.get(index)
    const { id } = run.graph.nodes[index] as GraphNode
    found.push({ run, index, node_id: id, attempt: (retry?.attempt ?? 0) + 1, not_before: retry?.retry_at ?? null })
  }
  return found
}

/** Output of a node that has settled with one; undefined when it has not, or is dead. In a body also of the nodes around it. */
export const outputOf = (run: Run, node_id: string): Json | undefined => {
  const index = run.graph.index.get(node_id)
  if (index !== undefined) return run.outputs[index]
  return run.place === null ? undefined : outputOf(run.place.outer, node_id)
}

/** The outputs so far, by node id. */
export const outputsOf = (run: Run): { readonly [node_id: string]: Json } => {
  const outputs: { [node_id: string]: Json } = run.place === null ? {} : { ...outputsOf(run.place.outer) }
  for (const node of run.graph.nodes) {
    const output = run.outputs[node.index]
    if (output !== undefined) outputs[node.id] = output
  }
  return outputs
}

/** What a node that is ready runs with: `inputs` by node id, and `input`, the one there is or else all of them. */
export const inputsOf = (run: Run, index: number): { readonly input: Json; readonly inputs: JsonObject } => {
  const node = run.graph.nodes[index] as GraphNode
  if (node.ins.length === 0 && run.place !== null) return { input: run.place.item, inputs: {} }
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
