import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Definition } from './definition.ts'
import { type Forkable, forkAt } from './fork.ts'
import { buildGraph, type NodeShape } from './graph.ts'
import { begin, inputsOf, isDecided, outcomeOf, outputsOf, passOn, plan, type Ready, type Run, settle, type Step } from './plan.ts'

const shapes: { readonly [type: string]: NodeShape } = {
  trigger: { kind: 'trigger', ports: ['out'] },
  effect: { kind: 'effect', ports: ['out'] },
  branch: { kind: 'pure', ports: ['yes', 'no'] },
  choice: { kind: 'pure', ports: ['yes'] },
  all: { kind: 'merge', ports: ['out'], merge_mode: 'all' },
}

const versionOf = (definition: Definition): Forkable => {
  const types = new Map(definition.nodes.map(({ id, type }) => [id, type]))
  return {
    graph: buildGraph(definition, (node) => shapes[node.type] as NodeShape),
    typeOf: (id) => types.get(id),
    fires: (id) => types.get(id) === 'trigger',
  }
}

const fired = { node_id: 'n0', payload: { start: 1 }, at: 0 }

/** What a node does follows from its name and its inputs alone: the port it leaves by, too. */
const settled = (run: Run, { index, node_id, attempt }: Ready): Step => {
  const { inputs } = inputsOf(run, index)
  const node = run.graph.nodes[index]
  const text = JSON.stringify(Object.entries(inputs).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  const sum = Buffer.from(`${node_id}${text}`).reduce((all, byte) => (all * 31 + byte) % 1_000_003, 7)
  const merged = node?.passes_through === true ? passOn(run, index) : null
  const port = merged?.port ?? node?.ports[sum % node.ports.length] ?? 'out'
  const times = { started_at: 1, finished_at: 1, retry_at: null }
  return { node_id, attempt, status: 'succeeded', port, output: merged === null ? { sum } : sum, error: null, ...times }
}

/** Goes on until nothing is open any more, or `most` steps are done; `picks` says in which order. */
const goOn = (run: Run, picks: readonly number[], most = Infinity): readonly Step[] => {
  const steps: Step[] = []
  for (let at = 0; steps.length < most; at += 1) {
    const { start } = plan(run, Number.MAX_SAFE_INTEGER)
    const next = start[(picks[at % Math.max(1, picks.length)] ?? 0) % Math.max(1, start.length)]
    if (next === undefined) break
    const step = settled(run, next)
    steps.push(step)
    settle(run, step)
  }
  return steps
}

const drawing = fc
  .integer({ min: 1, max: 14 })
  .chain((count) =>
    fc.record({
      types: fc.array(fc.constantFrom('effect', 'effect', 'branch', 'all'), { minLength: count, maxLength: count }),
      chain: fc.array(fc.nat(), { minLength: count, maxLength: count }),
      edges: fc.array(fc.record({ from: fc.nat(count), to: fc.nat(count), port: fc.nat() }), { maxLength: 2 * count }),
    }),
  )
  .map(({ types, chain, edges }): Definition => {
    const nodes = ['trigger', ...types].map((type, index) => ({ id: `n${index}`, type }))
    const drawn = [...chain.map((from, index) => ({ from: from % (index + 1), to: index + 1, port: from })), ...edges]
    return {
      nodes,
      edges: drawn.flatMap(({ from, to, port }) => {
        const { ports } = shapes[nodes[from]?.type ?? ''] as NodeShape
        return from < to ? [{ from: `n${from}`, port: ports[port % ports.length] as string, to: `n${to}` }] : []
      }),
    }
  })

const order = fc.array(fc.nat(), { minLength: 1, maxLength: 20 })

test('a fork at any node that was reached ends as the execution itself, whatever comes first', () => {
  let forks = 0
  let kept_in_all = 0
  fc.assert(
    fc.property(drawing, order, order, fc.nat(), (definition, picks, other_picks, choice) => {
      const version = versionOf(definition)
      const whole = begin(version.graph, fired)
      const steps = goOn(whole, picks)
      const node = definition.nodes[choice % definition.nodes.length]?.id ?? ''
      const reached = node === 'n0' || steps.some(({ node_id }) => node_id === node)
      const fork = forkAt({ from: version, to: version, fired, node_id: node, steps })
      expect(fork.ok).toBe(reached)
      if (!fork.ok) return
      const run = begin(version.graph, fired)
      for (const step of fork.kept) settle(run, step)
      const redone = goOn(run, other_picks)
      expect(outputsOf(run)).toEqual(outputsOf(whole))
      expect(outcomeOf(run, 0)?.status).toBe(outcomeOf(whole, 0)?.status)
      expect(version.graph.nodes.filter(({ index }) => isDecided(run, index)).map(({ id }) => id)).toEqual(
        version.graph.nodes.filter(({ index }) => isDecided(whole, index)).map(({ id }) => id),
      )
      // Nothing is done twice, and of what depends on the node nothing is kept.
      expect(new Set([...fork.kept, ...redone].map(({ node_id }) => node_id)).size).toBe(fork.kept.length + redone.length)
      if (node !== 'n0') expect(redone.map(({ node_id }) => node_id)).toContain(node)
      forks += 1
      kept_in_all += fork.kept.length
    }),
    { numRuns: 1_000 },
  )
  expect(forks).toBeGreaterThan(300)
  expect(kept_in_all).toBeGreaterThan(300)
})

test('a fork onto another drawing goes on there to its end, or says which node stands in the way', () => {
  let forks = 0
  let refusals = 0
  fc.assert(
    fc.property(drawing, drawing, order, fc.nat({ max: 30 }), fc.nat(), (before, after, picks, most, choice) => {
      const [from, to] = [versionOf(before), versionOf(after)]
      const steps = goOn(begin(from.graph, fired), picks, most)
      const node = before.nodes[choice % before.nodes.length]?.id ?? ''
      const fork = forkAt({ from, to, fired, node_id: node, steps })
      if (!fork.ok) {
        expect(fork.problems.length).toBeGreaterThan(0)
        for (const { node_id } of fork.problems) expect(from.typeOf(node_id)).toBeDefined()
        refusals += 1
        return
      }
      const run = begin(to.graph, fired)
      for (const step of fork.kept) {
        expect(to.typeOf(step.node_id)).toBe(from.typeOf(step.node_id))
        settle(run, step)
      }
      if (node !== 'n0') expect(plan(run, 0).start.map(({ node_id }) => node_id)).toContain(node)
      goOn(run, picks)
      expect(outcomeOf(run, 0)).toMatchObject({ status: 'succeeded' })
      forks += 1
    }),
    { numRuns: 1_000 },
  )
  expect(forks).toBeGreaterThan(50)
  expect(refusals).toBeGreaterThan(50)
})

describe('another version', () => {
  const line = (...nodes: readonly [string, string][]): Definition => ({
    nodes: [{ id: 'n0', type: 'trigger' }, ...nodes.map(([id, type]) => ({ id, type }))],
    edges: nodes.map(([id], index) => ({
      from: nodes[index - 1]?.[0] ?? 'n0',
      to: id,
      ...(['branch', 'choice'].includes(nodes[index - 1]?.[1] ?? '') ? { port: 'yes' } : {}),
    })),
  })
  const before = versionOf(line(['a', 'effect'], ['b', 'branch'], ['c', 'effect']))
  const done = (node_id: string, port = 'out'): Step => ({
    ...{ node_id, attempt: 3, status: 'succeeded', port, output: node_id, error: null, started_at: 1, finished_at: 1, retry_at: null },
  })
  const steps = [done('a'), done('b', 'yes'), done('c')]
  const onto = (definition: Definition, node_id = 'c') => forkAt({ from: before, to: versionOf(definition), fired, node_id, steps })

  test.each<[string, Definition, string | undefined, object]>([
    ['lacks a node', line(['a', 'effect'], ['c', 'effect']), 'c', { node_id: 'b', message: expect.stringContaining('no such node') }],
    [
      'has another type',
      line(['a', 'branch'], ['b', 'branch'], ['c', 'effect']),
      'c',
      { node_id: 'a', message: 'It is a branch there, and was a effect in this execution' },
    ],
    [
      'has something new in between',
      line(['new', 'effect'], ['a', 'effect'], ['b', 'branch'], ['c', 'effect']),
      'c',
      { node_id: 'a', message: 'It depends on "new", of which nothing is kept' },
    ],
    [
      'lacks the node itself',
      line(['a', 'effect'], ['b', 'branch']),
      'c',
      { node_id: 'c', message: expect.stringContaining('no such node') },
    ],
    [
      'does not lead to the node',
      {
        ...line(['a', 'effect'], ['b', 'branch'], ['c', 'effect']),
        edges: [
          { from: 'n0', to: 'a' },
          { from: 'a', to: 'b' },
        ],
      },
      'c',
      { node_id: 'c', message: 'Nothing that is kept leads to it there' },
    ],
  ])('that %s is refused', (_, definition, node_id, problem) => {
    const fork = onto(definition, node_id)
    expect(fork).toMatchObject({ ok: false })
    expect(fork.ok ? [] : fork.problems).toContainEqual(problem)
  })

  test('without the port by which a node was left is refused', () => {
    const was = versionOf(line(['b', 'branch'], ['c', 'effect']))
    const to = versionOf({
      ...line(['b', 'branch'], ['c', 'effect']),
      nodes: [
        { id: 'n0', type: 'trigger' },
        { id: 'b', type: 'branch' },
        { id: 'c', type: 'effect' },
      ],
    })
    const narrow: Forkable = {
      ...to,
      graph: buildGraph(line(['b', 'branch'], ['c', 'effect']), (node) =>
        node.type === 'branch' ? { kind: 'pure', ports: ['yes'] } : (shapes[node.type] as NodeShape),
      ),
    }
    const left = [done('b', 'no')]
    expect(forkAt({ from: was, to: narrow, fired, node_id: 'c', steps: left })).toMatchObject({
      problems: [{ node_id: 'b', message: 'It was left by the port "no", which it does not have there' }],
    })
  })

  test('with something new behind the node is taken, and what is kept is a first attempt', () => {
    const fork = onto(line(['a', 'effect'], ['b', 'branch'], ['c', 'effect'], ['d', 'effect']))
    expect(fork).toMatchObject({
      ok: true,
      kept: [
        { node_id: 'a', attempt: 1, copied: true },
        { node_id: 'b', attempt: 1 },
      ],
    })
  })

  test('whose trigger is gone takes nothing, not even from the start', () => {
    const { nodes, edges } = line(['a', 'effect'])
    const renamed = {
      nodes: nodes.map((node) => ({ ...node, id: node.id === 'n0' ? 'other' : node.id })),
      edges: edges.map((edge) => ({ ...edge, from: 'other' })),
    }
    expect(forkAt({ from: before, to: versionOf(renamed), fired, node_id: null, steps })).toMatchObject({
      ok: false,
      problems: [{ node_id: 'n0' }],
    })
    expect(forkAt({ from: before, to: before, fired, node_id: null, steps })).toEqual({ ok: true, kept: [] })
  })
})
