import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonDifference } from '../../lib/json-differences.ts'
import type { Json } from '../../lib/json.ts'
import { atOnce } from '../../lib/turns.ts'
import { comparing, type Comparison } from './compare.ts'
import type { Definition, DefinitionNode } from './definition.ts'

const compare = (before: Definition, after: Definition): Comparison => atOnce(comparing(before, after))

const nothing: Comparison = {
  nodes: { added: [], removed: [], changed: [] },
  edges: { added: [], removed: [] },
  settings: [],
  pins: [],
  tests: { added: [], removed: [], changed: [] },
  layout: null,
}

const ids = ['a', 'b', 'c', 'd', 'e']
const value: fc.Arbitrary<Json> = fc.jsonValue({ maxDepth: 3 }).map((json) => JSON.parse(JSON.stringify(json)) as Json)
const node = (id: string): fc.Arbitrary<DefinitionNode> =>
  fc.record(
    {
      id: fc.constant(id),
      type: fc.constantFrom('data.set', 'flow.if'),
      name: fc.string({ maxLength: 5 }),
      config: fc.dictionary(fc.constantFrom('x', 'y/z', '~'), value),
      position: fc.record({ x: fc.integer(), y: fc.integer() }),
    },
    { requiredKeys: ['id', 'type'] },
  )

const definitions: fc.Arbitrary<Definition> = fc
  .tuple(
    fc.subarray(ids).chain((chosen) => fc.tuple(...chosen.map(node))),
    fc.array(fc.record({ from: fc.constantFrom(...ids), to: fc.constantFrom(...ids), port: fc.constantFrom('out', 'error') }), {
      maxLength: 5,
    }),
    fc.dictionary(fc.constantFrom(...ids), value),
    fc.boolean(),
  )
  .map(([nodes, edges, pins, nested]) => {
    const inner = { nodes, edges }
    const loop: DefinitionNode = { id: 'loop', type: 'flow.loop', config: { items: 'trigger', body: inner } }
    return nested ? { nodes: [loop], edges: [], pins } : { ...inner, pins }
  })

const mirrored = ({ path, before, after }: JsonDifference): JsonDifference => ({
  path,
  ...(after === undefined ? {} : { before: after }),
  ...(before === undefined ? {} : { after: before }),
})

const sorted = <T>(list: readonly T[]): T[] => list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

/** Each list without its order. */
const unordered = ({ layout: _, ...comparison }: Comparison): unknown =>
  JSON.parse(JSON.stringify(comparison, (_key, part: unknown) => (Array.isArray(part) ? sorted(part) : part)))

test('what is the same has no differences, however it is drawn', () => {
  fc.assert(
    fc.property(definitions, (definition) => {
      expect(compare(definition, structuredClone(definition))).toEqual(nothing)
      const reversed = { ...definition, nodes: definition.nodes.toReversed(), edges: definition.edges.toReversed() }
      expect({ ...compare(definition, reversed), layout: null }).toEqual(nothing)
      const moved = { ...definition, nodes: definition.nodes.map((each) => ({ ...each, position: { x: 0.5, y: 0.5 } })) }
      const comparison = compare(definition, moved)
      expect({ ...comparison, layout: null }).toEqual(nothing)
      expect(comparison.layout).toEqual(
        definition.nodes.length === 0 ? null : { moved: definition.nodes.map(({ id }) => id), reordered: false },
      )
    }),
  )
})

test('seen from the other side, what was added was removed, and what is was', () => {
  fc.assert(
    fc.property(definitions, definitions, (one, other) => {
      const there = compare(one, other)
      const back = compare(other, one)
      const turned = ({ nodes, edges, settings, pins, tests }: Comparison): Comparison => ({
        nodes: {
          added: nodes.removed,
          removed: nodes.added,
          changed: nodes.changed.map(({ id, changes }) => ({ id, changes: changes.map(mirrored) })),
        },
        edges: { added: edges.removed, removed: edges.added },
        settings: settings.map(mirrored),
        pins: pins.map(mirrored),
        tests: { ...tests, added: tests.removed, removed: tests.added },
        layout: null,
      })
      expect(unordered(turned(back))).toEqual(unordered(there))
    }),
  )
})

/** Makes of a value what the changes say; removals last, from the end of lists. */
const applied = (json: Json, changes: readonly JsonDifference[]): Json => {
  const root = { '': structuredClone(json) } as { [name: string]: unknown }
  const keep = changes.filter(({ after }) => after !== undefined)
  const removed = changes.filter(({ after }) => after === undefined).toReversed()
  for (const { path, after } of [...keep, ...removed]) {
    const names = path.split('/').map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    const last = names.pop() as string
    const parent = names.reduce((at, name) => at[name] as typeof root, root)
    if (after !== undefined)
      Object.defineProperty(parent, last, { value: structuredClone(after), enumerable: true, configurable: true, writable: true })
    else if (Array.isArray(parent)) parent.splice(Number(last), 1)
    else delete parent[last]
  }
  return root[''] as Json
}

test('the changes of a node, made to what it was, give what it is', () => {
  fc.assert(
    fc.property(node('a'), node('a'), ({ position: _, ...before }, { position: _p, ...after }) => {
      const [changed] = compare({ nodes: [before], edges: [] }, { nodes: [after], edges: [] }).nodes.changed
      expect(applied(before as unknown as Json, changed?.changes ?? [])).toEqual(after)
    }),
  )
})

test('nodes of loops are compared like others, and moving one into a loop is a change of where it stands', () => {
  const set = { id: 'set', type: 'data.set', config: { values: { a: 1 } } }
  const loop = (nodes: readonly object[]) => ({
    id: 'each',
    type: 'flow.loop',
    config: { items: 'trigger', body: { nodes: [...nodes], edges: [] } },
  })
  const inside = { nodes: [loop([set])], edges: [] } as unknown as Definition
  const changed = { nodes: [loop([{ ...set, config: { values: { a: 2 } } }])], edges: [] } as unknown as Definition
  expect(compare(inside, changed)).toEqual({
    ...nothing,
    nodes: { ...nothing.nodes, changed: [{ id: 'set', changes: [{ path: '/config/values/a', before: 1, after: 2 }] }] },
  })
  const beside = { nodes: [loop([]), set], edges: [] } as unknown as Definition
  expect(compare(inside, beside).nodes.changed).toEqual([{ id: 'set', changes: [{ path: '/loop', before: 'each' }] }])
})

test('settings, pins and tests are compared by name; the port that is meant anyway is no change', () => {
  const trigger = { node_id: 'a', payload: {} }
  const run = { name: 'Runs', trigger, expect: { status: 'succeeded' as const } }
  const before: Definition = { nodes: [], edges: [{ from: 'a', to: 'b' }], settings: { timezone: 'UTC' }, tests: [run] }
  const after: Definition = {
    nodes: [],
    edges: [{ from: 'a', port: 'out', to: 'b' }],
    settings: { timezone: 'Europe/Vienna' },
    pins: { a: 1 },
    tests: [
      { ...run, name: 'New' },
      { ...run, expect: { status: 'failed' } },
    ],
  }
  expect(compare(before, after)).toEqual({
    ...nothing,
    settings: [{ path: '/timezone', before: 'UTC', after: 'Europe/Vienna' }],
    pins: [{ path: '/a', after: 1 }],
    tests: {
      added: ['New'],
      removed: [],
      changed: [{ name: 'Runs', changes: [{ path: '/expect/status', before: 'succeeded', after: 'failed' }] }],
    },
  })
})
