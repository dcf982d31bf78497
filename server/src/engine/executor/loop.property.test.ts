import fc from 'fast-check'
import { Type } from 'typebox'
import { expect, test } from 'vitest'
import type { Json } from '../../lib/json.ts'
import { atOnce } from '../../lib/turns.ts'
import type { App } from '../../platform/context.ts'
import { compileVersion, type ScopeFacts, scopeFor } from '../compile.ts'
import type { Finished } from '../contract.ts'
import type { Definition } from '../graph/definition.ts'
import { begin } from '../graph/plan.ts'
import type { Entry, RecordBody } from '../journal/record.ts'
import { effect, NodeFailure, pure } from '../node.ts'
import { coreNodes } from '../nodes/core.ts'
import { setAlarm } from './alarm.ts'
import { holdExecution } from './execution.ts'
import { folding } from './fold.ts'
import type { Host } from './live.ts'

/*
 * Loops in loops, with effects and without, on a process that dies again and again, against an interpreter too simple to be wrong. Whatever
 * happens, the outcome is the same, and no effect is repeated whose result is in the journal.
 */

type Node =
  | { readonly kind: 'pure' | 'effect'; readonly id: string; readonly add: number; readonly bad: number }
  | {
      readonly kind: 'loop'
      readonly id: string
      readonly items: readonly number[]
      readonly body: readonly Node[]
      readonly parallel: number
      readonly collect: boolean
    }

const chainOf = (depth: number): fc.Arbitrary<readonly Node[]> =>
  fc.array(depth === 0 ? leaf : fc.oneof({ weight: 2, arbitrary: leaf }, { weight: 1, arbitrary: loopOf(depth) }), {
    minLength: 1,
    maxLength: 3,
  })
const leaf = fc.record({
  kind: fc.constantFrom('pure' as const, 'effect' as const),
  id: fc.constant(''),
  add: fc.integer({ min: 1, max: 9 }),
  bad: fc.constantFrom(5, 7, 1_000, 1_000, 1_000),
})
const loopOf = (depth: number): fc.Arbitrary<Node> =>
  fc.record({
    kind: fc.constant('loop' as const),
    id: fc.constant(''),
    items: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 5 }),
    body: chainOf(depth - 1),
    parallel: fc.integer({ min: 1, max: 3 }),
    collect: fc.boolean(),
  })

const named = (nodes: readonly Node[], prefix = 'n'): readonly Node[] =>
  nodes.map((node, index) => {
    const id = `${prefix}${index}`
    return node.kind === 'loop' ? { ...node, id, body: named(node.body, `${id}_`) } : { ...node, id }
  })

const numberOf = (value: Json): number => (typeof value === 'number' ? value : 3)

const added = (value: Json, { add, bad }: { readonly add: number; readonly bad: number }, is_mended = false): number => {
  const sum = numberOf(value) + add
  if (!is_mended && sum % bad === 0) throw new NodeFailure({ code: 'test.bad', message: 'bad' })
  return sum
}

const interpret = (nodes: readonly Node[], input: Json, is_mended = false): Json =>
  nodes.reduce<Json>((value, node) => {
    if (node.kind !== 'loop') return added(value, node, is_mended)
    const errors: number[] = []
    const items = node.items.map((item, index) => {
      try {
        return interpret(node.body, item, is_mended)
      } catch (error) {
        if (!node.collect) throw error
        errors.push(index)
        return null
      }
    })
    return { items, errors }
  }, input)

/** Of errors the index alone. */
const simplified = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(simplified)
  if (typeof value !== 'object' || value === null) return value
  const { items, errors } = value as unknown as { items: Json[]; errors: { index: number }[] }
  return { items: items.map(simplified), errors: errors.map(({ index }) => index) }
}

const config = Type.Object({ add: Type.Number(), bad: Type.Number() })
const about = { title: '', description: '', icon: '', config, output: Type.Unknown() }

const bodyOf = (nodes: readonly Node[]): Pick<Definition, 'nodes' | 'edges'> => ({
  nodes: nodes.map((node) =>
    node.kind === 'loop'
      ? {
          id: node.id,
          type: 'flow.loop',
          config: {
            items: node.items,
            body: bodyOf(node.body) as never,
            parallel: node.parallel,
            on_item_error: node.collect ? 'collect' : 'fail',
          },
        }
      : { id: node.id, type: `test.${node.kind}`, config: { add: node.add, bad: node.bad } },
  ),
  edges: nodes.slice(1).map((node, index) => ({ from: nodes[index]?.id ?? '', to: node.id })),
})

const facts: ScopeFacts = { execution_id: 'e', workspace_id: 'w', workflow_id: 'f', version: 1, mode: 'live', started_at: 0 }
const trigger = { node_id: 'start', payload: 1 }

/** Executes until the end; the process dies at the commits whose numbers are given, before or after they are durable. */
const execute = async (
  nodes: readonly Node[],
  deaths: readonly { readonly at: number; readonly durable: boolean }[],
  { retries = false }: { readonly retries?: boolean } = {},
) => {
  let is_mended = false
  const calls = new Map<string, number>()
  const journal: RecordBody[] = []
  const recorded = (): ReadonlySet<string> =>
    new Set(journal.flatMap(({ steps }) => steps.filter(({ port }) => port !== null).map((step) => step.path ?? step.node_id)))
  const repeated: string[] = []
  const version = compileVersion(
    {
      nodes: [{ id: 'start', type: 'trigger.manual' }, ...bodyOf(nodes).nodes],
      edges: [{ from: 'start', to: nodes[0]?.id ?? '' }, ...bodyOf(nodes).edges],
    },
    new Map(
      [
        ...coreNodes,
        pure({ ...about, type: 'test.pure', run: ({ config: own, input }) => ({ output: added(input, own, is_mended) }) }),
        effect({
          ...about,
          type: 'test.effect',
          run: async ({ config: own, input }, io) => {
            if (recorded().has(io.path)) repeated.push(io.path)
            calls.set(io.path, (calls.get(io.path) ?? 0) + 1)
            await new Promise((resolve) => setImmediate(resolve))
            return { output: added(input, own, is_mended) }
          },
        }),
      ].map((type) => [type.type, type]),
    ),
  )
  let commits = 0
  const live = (): Promise<Finished | 'died'> =>
    new Promise((resolve) => {
      let dead = false
      const commit = async (entry: Entry): Promise<void> => {
        if (dead) return new Promise(() => {})
        commits += 1
        const death = deaths.find(({ at }) => at === commits)
        await Promise.resolve()
        if (death?.durable !== false) journal.push(JSON.parse(entry.body) as RecordBody)
        if (death === undefined) return
        dead = true
        execution.drop()
        resolve('died')
        return new Promise(() => {})
      }
      const host: Host = {
        app: { now: Date.now, newId: () => 'id' } as unknown as App,
        ...{ random: () => 0, step_timeout_ms: 10_000, commit, launching: () => !dead, resumeUrl: () => '' },
        ...{ alarm: (at: number, ring: () => void) => setAlarm(Date.now, at, ring), sleeps: true },
        ...{ released: () => {}, ended: () => {}, asleep: () => {} },
      }
      const fresh = journal.length === 0
      const { run, scope } = fresh
        ? (() => {
            const made = begin(version.graph, { ...trigger, at: 0 })
            return { run: made, scope: scopeFor({ version, run: made, facts }) }
          })()
        : atOnce(folding({ version, facts, trigger, records: journal }))
      const row = { ...{ workflow_id: 'f', version: 1, mode: 'live', trigger_type: 'trigger.manual', trigger_node_id: 'start' } }
      const execution = holdExecution({
        ...{ host, facts, version, run, scope, next_seq: journal.length },
        vars_due: null,
        accept: fresh ? { row: { ...row, status: 'running', held: true, once: null, started_at: '' }, payload: 1 } : null,
        listener: { accepted: () => {}, refused: () => {}, replied: () => {}, finished: resolve },
      })
      execution.begin()
    })
  let lives = 1
  for (;;) {
    const end = await live()
    const ending = journal.at(-1)?.ending
    if (retries && ending?.status === 'failed') {
      // Everything is mended, and somebody has it go on.
      is_mended = true
      journal.push({ at: 1, steps: [], retried: { by: { type: 'user', id: null } } })
    } else if (end !== 'died') return { end, calls, repeated, lives, is_mended }
    else if (ending !== undefined) return { end: null, calls, repeated, lives, is_mended }
    lives += 1
  }
}

const outcomeBy = (nodes: readonly Node[]): { readonly status: string; readonly output: Json } => {
  try {
    return { status: 'succeeded', output: interpret(nodes, 1) }
  } catch {
    return { status: 'failed', output: null }
  }
}

test('loops end as a naive interpreter says, however often the process dies, and repeat no effect that is in the journal', async () => {
  let deaths_seen = 0
  let succeeded = 0
  await fc.assert(
    fc.asyncProperty(
      chainOf(2).map((nodes) => named(nodes)),
      fc.uniqueArray(fc.record({ at: fc.integer({ min: 1, max: 12 }), durable: fc.boolean() }), { maxLength: 3, selector: ({ at }) => at }),
      async (nodes, deaths) => {
        const { end, calls, repeated, lives } = await execute(nodes, deaths)
        deaths_seen += lives - 1
        expect(repeated).toEqual([])
        for (const times of calls.values()) expect(times).toBeLessThanOrEqual(lives)
        if (end === null) return
        const expected = outcomeBy(nodes)
        expect({ status: end.status, output: simplified(end.output) }).toEqual(expected)
        if (end.status === 'succeeded') succeeded += 1
        else expect(end.error?.code).toBe('test.bad')
      },
    ),
    { numRuns: 400 },
  )
  // It would hold of executions to which nothing happens, too.
  expect(deaths_seen).toBeGreaterThan(100)
  expect(succeeded).toBeGreaterThan(100)
})

const withoutCollecting = (nodes: readonly Node[]): readonly Node[] =>
  nodes.map((node) => (node.kind === 'loop' ? { ...node, collect: false, body: withoutCollecting(node.body) } : node))

test('one that failed, was mended and tried again ends as if nothing had failed, however often the process dies, and repeats nothing that succeeded', async () => {
  let tried_again = 0
  await fc.assert(
    fc.asyncProperty(
      chainOf(2).map((nodes) => withoutCollecting(named(nodes))),
      fc.uniqueArray(fc.record({ at: fc.integer({ min: 1, max: 12 }), durable: fc.boolean() }), { maxLength: 3, selector: ({ at }) => at }),
      async (nodes, deaths) => {
        const { end, repeated, is_mended } = await execute(nodes, deaths, { retries: true })
        expect(repeated).toEqual([])
        if (is_mended) tried_again += 1
        if (end === null) return
        expect({ status: end.status, output: simplified(end.output) }).toEqual({
          status: 'succeeded',
          output: interpret(nodes, 1, true),
        })
      },
    ),
    { numRuns: 400 },
  )
  expect(tried_again).toBeGreaterThan(50)
})
