import { type CompiledNode, evaluatedInside, scopeIn, type Scope } from '../compile.ts'
import type { GraphNode, Repeats } from '../graph/graph.ts'
import { beginTurn, inputsOf, openIn, prefixOf, type Ready, regionOf, type Run } from '../graph/plan.ts'
import { itemOf, type Region, type RegionSpec, resultOf, type TurnError, turnsOf } from '../graph/region.ts'
import { NodeFailure } from '../node.ts'
import { type Attempt, failureOf } from './effect.ts'
import { type Live, nodeOf, scopeAt } from './live.ts'

/** As the node types declare it. */
interface RegionConfig {
  readonly items?: unknown
  readonly condition?: unknown
  readonly parallel?: number
  readonly batch_size?: number
  readonly max_iterations?: number
  readonly on_item_error?: 'fail' | 'collect'
}

const default_most_iterations = 1_000

/** What a region is opened with. Throws a `NodeFailure` where its config gives nothing that it could go through. */
export const specOf = (input: {
  readonly run: Run
  readonly index: number
  readonly compiled: CompiledNode
  readonly scope: Scope
  readonly started_at: number
}): RegionSpec => {
  const { run, index, compiled, scope, started_at } = input
  const repeats = (run.graph.nodes[index] as GraphNode).region?.repeats ?? 'each'
  const first = inputsOf(run, index).input
  const inside = evaluatedInside(compiled.type) ? scopeIn(scope, run, { item: first, turn: 0 }) : scope
  const config: RegionConfig = compiled.evaluate(inside)
  return {
    repeats,
    items: repeats === 'each' ? listOf(config.items) : [],
    batch_size: config.batch_size ?? 1,
    parallel: isSilentBody(run, index) ? 1 : (config.parallel ?? 1),
    collect: config.on_item_error === 'collect',
    most_turns: config.max_iterations ?? default_most_iterations,
    first,
    started_at,
  }
}

const listOf = (items: unknown): RegionSpec['items'] => {
  if (Array.isArray(items)) return items
  const kind = items === null ? 'null' : typeof items === 'object' ? 'an object' : `a ${typeof items}`
  throw new NodeFailure({
    code: 'flow.not_a_list',
    message: `The items are ${kind}, not a list`,
    details: { field: '/items' },
  })
}

/** Its turns are recorded as a whole: nothing in them had to be durable before the next began. */
const isSilentBody = (run: Run, index: number): boolean => run.graph.nodes[index]?.region?.body.pure === true

/** A turn of such a body. */
export const isSilent = (run: Run): boolean => run.place !== null && run.graph.pure

/**
 * Looks after a region whose turn it is: opens it, begins its next turn, or ends it. `opened`: what became ready; `end`: the attempt that
 * its step amounts to; null: there is nothing to do. `steps`: so many of the record come before it.
 */
export const goOn = (live: Live, next: Ready, steps: number): { readonly ready: readonly Ready[] } | { readonly end: Attempt } | null => {
  const { run, index } = next
  if (!run.open.has(index)) return null
  const region = regionOf(run, index)
  try {
    if (region === undefined) return { ready: openNow(live, run, index, steps) }
    if (region.failed !== null) return { end: { ok: false, failure: failureOfTurn(region.failed, region.spec.repeats) } }
    if (region.spec.repeats === 'while') return whileOn(live, run, index, region)
    if (region.next < turnsOf(region.spec)) return { ready: beginTurn(run, index) }
    return region.running.length === 0 ? { end: ended(region) } : null
  } catch (error) {
    return { end: { ok: false, failure: failureOf(error) } }
  }
}

const ended = (region: Region): Attempt => ({ ok: true, result: { output: resultOf(region) } })

const openNow = (live: Live, run: Run, index: number, steps: number): readonly Ready[] => {
  const { compiled, graph } = nodeOf(live, run, index)
  const started_at = live.host.app.now()
  const spec = specOf({ run, index, compiled, scope: scopeAt(live, run), started_at })
  const ready = openIn(run, index, spec)
  if (!isSilent(run))
    live.regions.push({ before: steps, path: `${prefixOf(run)}${graph.id}`, opened: { turns: turnsOf(spec), at: started_at } })
  return ready
}

const whileOn = (live: Live, run: Run, index: number, region: Region): ReturnType<typeof goOn> => {
  if (region.running.length > 0) return null
  const { compiled } = nodeOf(live, run, index)
  const scope = scopeIn(scopeAt(live, run), run, { item: itemOf(region, region.next), turn: region.next })
  const { condition } = compiled.evaluate(scope)
  if (condition === false) return { end: ended(region) }
  if (condition !== true) {
    const message = 'The condition gave neither true nor false'
    throw new NodeFailure({ code: 'flow.not_a_condition', message, details: { field: '/condition' } })
  }
  const { most_turns } = region.spec
  if (region.next < most_turns) return { ready: beginTurn(run, index) }
  throw new NodeFailure({ code: 'flow.too_many_iterations', message: `The condition still holds after ${most_turns} iterations` })
}

const failureOfTurn = ({ index, code, message, details, node_id }: TurnError, repeats: Repeats): (Attempt & { ok: false })['failure'] => ({
  code,
  message: `${repeats === 'each' ? 'Item' : 'Iteration'} ${index}, "${node_id}": ${message}`,
  retryable: false,
  retry_after_ms: null,
  details: { ...details, index, node_id },
})

/** A turn without effects has ended: it goes into the record as a whole. `steps`: so many of the record come before it. */
export const noteTurn = (live: Live, run: Run, steps: number): void => {
  const { place } = run
  if (place === null || !isSilent(run) || isSilent(place.outer)) return
  const region = regionOf(place.outer, place.index)
  if (region === undefined || region.failed !== null) return
  const output = region.spec.repeats === 'while' ? region.last : (region.outputs[place.turn] ?? null)
  const error = region.errors.at(-1)?.index === place.turn ? region.errors.at(-1) : undefined
  const noted = live.noted
  if (noted !== null && noted.region === region && noted.before === steps && live.regions.at(-1) === noted.fact) {
    noted.turns.next = place.turn + 1
    if (region.spec.repeats === 'while') noted.turns.outputs[0] = output
    else noted.turns.outputs.push(output)
    if (error !== undefined) (noted.turns.errors ??= []).push(error)
    return
  }
  const turns = { next: place.turn + 1, outputs: [output], ...(error === undefined ? {} : { errors: [error] }) }
  const { id } = place.outer.graph.nodes[place.index] as GraphNode
  const fact = { before: steps, path: `${prefixOf(place.outer)}${id}`, turns }
  live.noted = { region, before: steps, fact, turns }
  live.regions.push(fact)
}
