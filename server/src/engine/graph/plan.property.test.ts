import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json } from '../../lib/json.ts'
import type { Definition } from './definition.ts'
import { buildGraph, type Graph, type NodeShape } from './graph.ts'
import { begin, inputsOf, outcomeOf, plan, type Ready, replay, settle, type Step } from './plan.ts'

/*
 * The plan against a model that is too simple to be wrong: after every step it works out each node's state anew, from the definition
 * and the journal alone, by going over all nodes until nothing changes.
 */

const shapes: { readonly [type: string]: NodeShape } = {
  trigger: { kind: 'trigger', ports: ['out'] },
  effect: { kind: 'effect', ports: ['out'] },
  branch: { kind: 'pure', ports: ['yes', 'no'] },
  several: { kind: 'pure', ports: ['yes', 'no'] },
  all: { kind: 'merge', ports: ['out'], merge_mode: 'all' },
  first: { kind: 'merge', ports: ['out'], merge_mode: 'first' },
}
const typeOf = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('effect', 'branch', 'several', 'all', 'first') },
  { weight: 1, arbitrary: fc.constant('trigger') },
)
/** Mostly ports that the node may leave through, so that most drawings come alive. */
const portOf = (type: string, choice: number): string => {
  const own = (shapes[type] as NodeShape).ports
  return choice % 8 === 0 ? 'error' : (own[choice % own.length] as string)
}

const drawing = fc
  .integer({ min: 1, max: 14 })
  .chain((count) =>
    fc.record({
      types: fc.array(typeOf, { minLength: count, maxLength: count }),
      chain: fc.array(fc.nat(), { minLength: count, maxLength: count }),
      edges: fc.array(fc.record({ from: fc.nat(count), to: fc.nat(count), port: fc.nat() }), { maxLength: 2 * count }),
      order: fc.shuffledSubarray([...Array(count + 1).keys()], { minLength: count + 1, maxLength: count + 1 }),
    }),
  )
  .map(({ types, chain, edges, order }): Definition => {
    const nodes = ['trigger', ...types].map((type, index) => ({ id: `n${index}`, type }))
    // Each node hangs on an earlier one, and more edges come on top.
    const drawn = [...chain.map((from, index) => ({ from: from % (index + 1), to: index + 1, port: from })), ...edges]
    const forward = drawn.flatMap(({ from, to, port }) =>
      from < to && (nodes[to]?.type !== 'trigger' || port % 3 === 0)
        ? [{ from: `n${from}`, port: portOf(nodes[from]?.type ?? '', port), to: `n${to}` }]
        : [],
    )
    return { nodes: order.map((index) => nodes[index] as (typeof nodes)[number]), edges: forward }
  })

/** What happens next: which of the ready nodes settles, and how. */
const happenings = fc.array(
  fc.record({
    pick: fc.nat(),
    how: fc.oneof(
      { weight: 6, arbitrary: fc.constant('succeed' as const) },
      { weight: 1, arbitrary: fc.constant('retry' as const) },
      { weight: 1, arbitrary: fc.constant('handled' as const) },
      { weight: 1, arbitrary: fc.constant('fail' as const) },
      { weight: 1, arbitrary: fc.constant('stop' as const) },
    ),
    port: fc.nat(),
  }),
  { maxLength: 40 },
)

interface Modelled {
  readonly open: ReadonlySet<string>
  readonly inputs: ReadonlyMap<string, { readonly [id: string]: Json }>
  readonly failed: string | null
  readonly stopped: boolean
  readonly output: Json
}

type State =
  | { readonly kind: 'left'; readonly ports: readonly string[]; readonly at: number; readonly output: Json }
  | { readonly kind: 'open' }
  | { readonly kind: 'dead' }

const model = (definition: Definition, payload: Json, journal: readonly Step[]): Modelled => {
  const fatal = journal.findIndex((step) => step.status === 'failed' && step.port === null && step.retry_at === null)
  const stopped = journal.some((step) => step.stop === true)
  const counted = fatal === -1 ? journal : journal.slice(0, fatal + 1)
  const last = new Map(counted.flatMap((step, at) => (step.retry_at === null ? [[step.node_id, { step, at }] as const] : [])))
  const states = new Map<string, State>([['n0', { kind: 'left', ports: ['out'], at: -1, output: payload }]])
  const inputs = new Map<string, { readonly [id: string]: Json }>()

  const stateOf = (id: string, type: string): State | undefined => {
    const ins = definition.edges.filter((edge) => edge.to === id)
    const live = ins.filter((edge) => {
      const from = states.get(edge.from)
      return from?.kind === 'left' && from.ports.includes(edge.port ?? 'out')
    })
    const settled = ins.filter((edge) => ['left', 'dead'].includes(states.get(edge.from)?.kind ?? ''))
    const may_run = type === 'first' ? live.length > 0 : settled.length === ins.length && live.length > 0
    if (!may_run) return settled.length === ins.length ? { kind: 'dead' } : undefined
    const left = (from: string) => states.get(from) as State & { kind: 'left' }
    const earliest = live.toSorted((a, b) => left(a.from).at - left(b.from).at)[0]?.from
    const used = type === 'first' ? live.filter((edge) => edge.from === earliest) : live
    inputs.set(id, Object.fromEntries(used.map((edge) => [edge.from, left(edge.from).output])))
    const done = last.get(id)
    if (done === undefined || done.step.port === null) return { kind: 'open' }
    return { kind: 'left', ports: done.step.ports ?? [done.step.port], at: done.at, output: done.step.output }
  }

  for (let changed = true; changed;) {
    changed = false
    for (const { id, type } of definition.nodes) {
      if (id === 'n0') continue
      const state = stateOf(id, type)
      if (JSON.stringify(state) === JSON.stringify(states.get(id))) continue
      states.set(id, state as State)
      changed = true
    }
  }
  const final = counted.findLast((step) => step.retry_at === null)
  return {
    open: new Set([...states].flatMap(([id, state]) => (state.kind === 'open' ? [id] : []))),
    inputs,
    failed: fatal === -1 ? null : (journal[fatal]?.node_id ?? null),
    stopped,
    output: final === undefined ? payload : final.output,
  }
}

/** Ends a script: no step is made of it. */
const enough = { pick: 0, how: 'succeed', port: 0 } as const

const stepFor = (ready: Ready, type: string, how: 'succeed' | 'retry' | 'handled' | 'fail' | 'stop', port: number, at: number): Step => {
  const own = (shapes[type] as NodeShape).ports
  const error = how === 'succeed' || how === 'stop' ? null : { code: 'test.failed', message: `at ${at}`, details: null }
  const base = { node_id: ready.node_id, attempt: ready.attempt, error, started_at: at, finished_at: at }
  const done = {
    ...base,
    status: 'succeeded',
    port: own[port % own.length] as string,
    output: `${ready.node_id}@${at}`,
    retry_at: null,
  } as const
  if (how === 'stop') return { ...done, stop: true }
  if (how === 'succeed') return type === 'several' && port % 3 === 0 ? { ...done, ports: own } : done
  if (how === 'handled')
    return { ...base, status: 'failed', port: port % 2 === 0 ? 'error' : 'out', output: { handled: at }, retry_at: null }
  return { ...base, status: 'failed', port: null, output: null, retry_at: how === 'retry' ? at + 1 : null }
}

const graphFor = (definition: Definition): Graph => buildGraph(definition, (node) => shapes[node.type] as NodeShape)

const far = Number.MAX_SAFE_INTEGER

test('the plan agrees with a naive model on any graph, whatever fails, is retried or comes first', () => {
  let steps = 0
  let failures = 0
  let firsts = 0
  let stops = 0
  let forks = 0
  fc.assert(
    fc.property(drawing, happenings, (definition, script) => {
      const graph = graphFor(definition)
      const fired = { node_id: 'n0', payload: { start: true }, at: 0 }
      const run = begin(graph, fired)
      const journal: Step[] = []
      const ready = new Map<string, Ready>(plan(run, far).start.map((each) => [each.node_id, each]))
      for (const [at, { pick, how, port }] of [...script, enough].entries()) {
        const expected = model(definition, fired.payload, journal)
        const planned = plan(run, far)
        expect(planned).toEqual(plan(replay(graph, fired, journal), far))
        if (expected.failed !== null) {
          expect(planned.outcome).toMatchObject({ status: 'failed', error: { node_id: expected.failed } })
          failures += 1
          return
        }
        if (expected.stopped) {
          expect(planned).toEqual({ start: [], wake_at: null, outcome: { status: 'succeeded', output: expected.output, error: null } })
          stops += 1
          return
        }
        expect(new Set(ready.keys())).toEqual(expected.open)
        expect(new Set(planned.start.map((each) => each.node_id))).toEqual(expected.open)
        for (const each of ready.values()) expect(inputsOf(run, each.index).inputs).toEqual(expected.inputs.get(each.node_id))
        if (expected.open.size === 0) {
          expect(planned.outcome).toEqual({ status: 'succeeded', output: expected.output, error: null })
          return
        }
        expect(outcomeOf(run, far)).toBeNull()
        if (at === script.length) return
        const chosen = [...ready.values()][pick % ready.size] as Ready
        const type = definition.nodes.find(({ id }) => id === chosen.node_id)?.type ?? ''
        const step = stepFor(chosen, type, how, port, at)
        ready.delete(chosen.node_id)
        journal.push(step)
        for (const next of settle(run, step)) ready.set(next.node_id, next)
        steps += 1
        if (type === 'first') firsts += 1
        if (step.ports !== undefined) forks += 1
      }
    }),
    { numRuns: 1500 },
  )
  // The property would hold of graphs in which nothing happens, too.
  expect(steps).toBeGreaterThan(1500)
  expect(failures).toBeGreaterThan(50)
  expect(firsts).toBeGreaterThan(100)
  expect(stops).toBeGreaterThan(50)
  expect(forks).toBeGreaterThan(50)
})

test('the order in which nodes and edges are written down means nothing', () => {
  fc.assert(
    fc.property(drawing, fc.infiniteStream(fc.nat()), (definition, random) => {
      const mixed: Definition = {
        nodes: definition.nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        edges: definition.edges.toReversed(),
      }
      const fired = { node_id: 'n0', payload: null, at: 0 }
      const [run, other] = [begin(graphFor(definition), fired), begin(graphFor(mixed), fired)]
      const opens = (of: typeof run) =>
        plan(of, far)
          .start.map(({ node_id }) => node_id)
          .toSorted()
      for (let at = 0; ; at += 1) {
        expect(opens(other)).toEqual(opens(run))
        const { start, outcome } = plan(run, far)
        expect(plan(other, far).outcome).toEqual(outcome)
        if (outcome) return
        const chosen = start.toSorted((a, b) => (a.node_id < b.node_id ? -1 : 1))[(random.next().value as number) % start.length] as Ready
        const type = definition.nodes.find(({ id }) => id === chosen.node_id)?.type ?? ''
        const step = stepFor(chosen, type, 'succeed', random.next().value as number, at)
        settle(run, step)
        settle(other, step)
      }
    }),
    { numRuns: 300 },
  )
})

const line = (count: number): Graph =>
  graphFor({
    nodes: [{ id: 'n0', type: 'trigger' }, ...Array.from({ length: count }, (_, index) => ({ id: `n${index + 1}`, type: 'effect' }))],
    edges: Array.from({ length: count }, (_, index) => ({ from: `n${index}`, to: `n${index + 1}` })),
  })

test('ten thousand nodes in a line run to their end, and a path of ten thousand is pruned at once', () => {
  const graph = line(10_000)
  const run = begin(graph, { node_id: 'n0', payload: null, at: 0 })
  for (let next = plan(run, 0).start; next[0] !== undefined;) next = settle(run, stepFor(next[0], 'effect', 'succeed', 0, 1))
  expect(outcomeOf(run, 0)).toMatchObject({ status: 'succeeded', output: 'n10000@1' })

  const pruned = begin(graph, { node_id: 'n0', payload: null, at: 0 })
  const [first] = plan(pruned, 0).start as [Ready]
  expect(settle(pruned, { ...stepFor(first, 'effect', 'handled', 0, 1), port: 'error' })).toEqual([])
  expect(outcomeOf(pruned, 0)?.status).toBe('succeeded')
})
