import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json, JsonObject } from '../../lib/json.ts'
import { ConfigFault } from '../expression/config.ts'
import { NodeFailure, type NodeType } from '../node.ts'
import { aggregateNode } from './data-aggregate.ts'
import { dedupeNode } from './data-dedupe.ts'
import { filterNode } from './data-filter.ts'
import { mapNode } from './data-map.ts'
import { sortNode } from './data-sort.ts'
import { longestTurn, runNode } from './node.testing.ts'

const outputOf = (type: NodeType, config: JsonObject, items: Json): Json => runNode(type, { items: 'trigger', ...config }, items).output

const failureOf = (work: () => unknown): { code: string; message: string; index: unknown } => {
  try {
    work()
  } catch (error) {
    if (error instanceof NodeFailure) return { code: error.code, message: error.message, index: error.details?.['index'] }
    if (error instanceof ConfigFault) return { code: error.error.code, message: error.message, index: error.index }
    throw error
  }
  return { code: 'none', message: '', index: null }
}

/** JSON as it comes over the wire: without -0, which no document can hold. */
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as Json)
const row = fc.record({
  team: fc.constantFrom('a', 'b', 'c', null),
  score: fc.integer({ min: -5, max: 5 }),
  tag: fc.string({ maxLength: 3 }),
})
const rows = fc.array(row, { maxLength: 60 })

test('map makes of each element what a loop over the list would', () => {
  fc.assert(
    fc.property(rows, (list) => {
      expect(outputOf(mapNode, { expression: 'item.score * 2 + index' }, list)).toEqual(list.map((each, index) => each.score * 2 + index))
      const values = { at: '{{ index }}', text: '{{ item.tag }}/{{ index }}', fixed: 'x', of: ['{{ item.team }}'] }
      expect(outputOf(mapNode, { values }, list)).toEqual(
        list.map((each, index) => ({ at: index, text: `${each.tag}/${index}`, fixed: 'x', of: [each.team] })),
      )
    }),
  )
})

test('map hands any element on as it is', () => {
  fc.assert(fc.property(fc.array(json), (list) => void expect(outputOf(mapNode, { expression: 'item' }, list)).toEqual(list)))
})

test('an expression of an element sees the rest of the execution, too', () => {
  const config = { items: 'trigger.list', expression: 'item + trigger.add + steps.size()' }
  expect(runNode(mapNode, config, { list: [1, 2], add: 10 }).output).toEqual([12, 13])
})

test('filter keeps what the condition says, in its order', () => {
  fc.assert(
    fc.property(rows, (list) => {
      const kept = list.filter((each, index) => each.score > 0 || index < 3)
      expect(outputOf(filterNode, { condition: 'item.score > 0 || index < 3' }, list)).toEqual(kept)
      expect(outputOf(filterNode, { condition: true }, list)).toEqual(list)
    }),
  )
})

test('filter says which element its condition gave no answer for', () => {
  expect(failureOf(() => outputOf(filterNode, { condition: 'item' }, [true, 1]))).toMatchObject({ code: 'flow.not_a_condition', index: 1 })
  expect(failureOf(() => outputOf(filterNode, { condition: 'item.a' }, [{ a: true }, {}]))).toMatchObject({
    code: 'expression.missing',
    index: 1,
    message: expect.stringContaining('(element 1)'),
  })
})

test('sort agrees with a stable sort by hand, in both directions', () => {
  const sign = (a: number | string, b: number | string): number => (a < b ? -1 : a > b ? 1 : 0)
  const teamOf = (team: string | null): string => team ?? ''
  fc.assert(
    fc.property(rows, (list) => {
      const numbered = list.map((each, at) => ({ ...each, at }))
      const by = [{ expression: 'item.team' }, { expression: 'item.score', order: 'desc' }]
      expect(outputOf(sortNode, { by }, numbered)).toEqual(
        numbered.toSorted((a, b) => sign(teamOf(a.team), teamOf(b.team)) || sign(b.score, a.score)),
      )
    }),
  )
})

test('sort puts values of different kinds in the order that it names', () => {
  const ordered: Json[] = [null, false, true, -3, 0, 2.5, 10, '', '10', '9', 'B', 'a', 'ä', [1], [2], [], { a: 1 }, { b: 0 }]
  fc.assert(
    fc.property(fc.shuffledSubarray(ordered, { minLength: ordered.length }), (mixed) => {
      expect(outputOf(sortNode, { by: [{ expression: 'item' }] }, mixed)).toEqual(ordered)
      expect(outputOf(sortNode, { by: [{ expression: 'item', order: 'desc' }] }, mixed)).toEqual(ordered.toReversed())
    }),
  )
})

const same = (a: Json, b: Json): boolean => {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  const [one, other] = [a as JsonObject, b as JsonObject]
  return (
    Array.isArray(a) === Array.isArray(b) &&
    Object.keys(one).length === Object.keys(other).length &&
    Object.keys(one).every((key) => Object.hasOwn(other, key) && same(one[key] as Json, other[key] as Json))
  )
}

test('dedupe keeps the first or the last of what is the same, whatever the order of its fields', () => {
  const some = fc.array(fc.oneof(json, fc.constantFrom<Json>({ a: 1, b: [1] }, { b: [1], a: 1 }, 1, '1', null, 'null', [], {})), {
    maxLength: 40,
  })
  fc.assert(
    fc.property(some, (list) => {
      expect(outputOf(dedupeNode, {}, list)).toEqual(list.filter((each, at) => !list.slice(0, at).some((other) => same(each, other))))
      expect(outputOf(dedupeNode, { keep: 'last' }, list)).toEqual(
        list.filter((each, at) => !list.slice(at + 1).some((other) => same(each, other))),
      )
    }),
  )
})

test('dedupe goes by an expression where there is one', () => {
  fc.assert(
    fc.property(rows, (list) => {
      const unique = list.filter((each, at) => list.findIndex((other) => other.team === each.team) === at)
      expect(outputOf(dedupeNode, { by: 'item.team' }, list)).toEqual(unique)
    }),
  )
})

test('fields that objects have in JavaScript are fields like others', () => {
  const list = JSON.parse('[{"__proto__": 1}, {"__proto__": 2}, {"constructor": 1}, {"__proto__": 1}]') as Json
  expect(JSON.stringify(outputOf(dedupeNode, {}, list))).toBe('[{"__proto__":1},{"__proto__":2},{"constructor":1}]')
})

const fields = [
  { name: 'all', op: 'count' },
  { name: 'teams', op: 'count', of: 'item.team' },
  { name: 'sum', op: 'sum', of: 'item.score' },
  { name: 'avg', op: 'avg', of: 'item.score' },
  { name: 'min', op: 'min', of: 'item.score' },
  { name: 'max', op: 'max', of: 'item.tag' },
  { name: 'first', op: 'first', of: 'item.team' },
  { name: 'last', op: 'last', of: 'item.tag' },
  { name: 'scores', op: 'collect', of: 'item.score' },
  { name: 'tags', op: 'join', of: 'item.tag', separator: '|' },
]

const byHand = (list: readonly { team: string | null; score: number; tag: string }[]) => {
  const sum = list.reduce((total, { score }) => total + score, 0)
  return {
    all: list.length,
    teams: list.filter(({ team }) => team !== null).length,
    sum,
    avg: list.length === 0 ? null : sum / list.length,
    min: list.length === 0 ? null : Math.min(...list.map(({ score }) => score)),
    max:
      list
        .map(({ tag }) => tag)
        .toSorted()
        .at(-1) ?? null,
    first: list[0]?.team ?? null,
    last: list.at(-1)?.tag ?? null,
    scores: list.map(({ score }) => score),
    tags: list.map(({ tag }) => tag).join('|'),
  }
}

test('aggregate gives for a list, and for each group of it, what counting by hand gives', () => {
  fc.assert(
    fc.property(rows, (list) => {
      expect(outputOf(aggregateNode, { fields }, list)).toEqual(byHand(list))
      const groups = [...Map.groupBy(list, ({ team }) => team)].map(([team, members]) => ({ team, ...byHand(members) }))
      expect(outputOf(aggregateNode, { group_by: { team: 'item.team' }, fields }, list)).toEqual(groups)
    }),
  )
})

test('aggregate leaves nulls out and refuses what cannot be added up', () => {
  const sum = { fields: [{ name: 'sum', op: 'sum', of: 'item' }] }
  expect(outputOf(aggregateNode, sum, [1, null, 2])).toEqual({ sum: 3 })
  expect(failureOf(() => outputOf(aggregateNode, sum, [1, '2']))).toMatchObject({ code: 'data.wrong_kind', index: 1 })
  expect(failureOf(() => outputOf(aggregateNode, sum, [1e308, 1e308]))).toMatchObject({ code: 'data.number' })
  const join = { fields: [{ name: 'text', op: 'join', of: 'item' }] }
  expect(outputOf(aggregateNode, join, ['a', null, 1, true])).toEqual({ text: 'a, 1, true' })
  expect(failureOf(() => outputOf(aggregateNode, join, [{}]))).toMatchObject({ code: 'data.wrong_kind', index: 0 })
})

test('what is no list is refused', () => {
  for (const items of [null, 1, 'text', { a: 1 }])
    expect(failureOf(() => outputOf(filterNode, { condition: 'true' }, items)).code).toBe('data.not_a_list')
})

const many = Array.from({ length: 100_000 }, (_, index) => ({ id: index, team: `t${index % 1000}`, score: (index * 7919) % 100_003 }))

test.each([
  [mapNode, { values: { id: '{{ item.id }}', double: '{{ item.score * 2 }}' } }],
  [filterNode, { condition: 'item.score % 2 == 0' }],
  [sortNode, { by: [{ expression: 'item.score' }, { expression: 'item.id', order: 'desc' }] }],
  [dedupeNode, { by: 'item.team' }],
  [aggregateNode, { group_by: { team: 'item.team' }, fields: [{ name: 'sum', op: 'sum', of: 'item.score' }] }],
] as const)('$type goes over 100,000 elements and lets others have their turn', (type, config) => {
  const { ms, output } = longestTurn(type, { items: 'trigger', ...config }, many)
  expect((output as readonly Json[]).length).toBeGreaterThan(999)
  // One piece is some microseconds; the rest is the garbage collector and whoever else has the machine.
  expect(ms).toBeLessThan(250)
})

test('expressions over many elements have a limit together, and each one its own', () => {
  const list = Array.from({ length: 2_000 }, () => 0)
  const numbers = Array.from({ length: 20_000 }, (_, index) => index)
  const config = { items: 'trigger.list', expression: 'trigger.numbers.filter(n, n > item).size()' }
  expect(failureOf(() => runNode(mapNode, config, { list, numbers })).code).toBe('expression.limit')
  const heavy = { items: '[1]', expression: 'trigger.map(a, trigger.map(b, a * b)).size()' }
  expect(failureOf(() => runNode(mapNode, heavy, numbers)).code).toBe('expression.limit')
})

test('a step builds no more than an execution can hold', () => {
  const config = { items: 'trigger.list', expression: 'trigger.text' }
  const trigger = { list: Array.from({ length: 100 }, () => 0), text: 'x'.repeat(1_000_000) }
  expect(failureOf(() => runNode(mapNode, config, trigger)).code).toBe('data.too_large')
})
