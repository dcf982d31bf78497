import { expect, test } from 'vitest'
import { check } from './check.ts'
import { coreNodes } from './nodes/core.ts'

const nodeTypes = new Map(coreNodes.map((type) => [type.type, type]))

const hook = { id: 'hook', type: 'trigger.webhook', config: { path: 'orders/new' } }
const set = (id: string, values: unknown = {}) => ({ id, type: 'data.set', config: { values } })
const edge = (from: string, to: string) => ({ from, to })

const of = (nodes: readonly unknown[], edges: readonly unknown[] = []) => check({ nodes, edges }, { nodeTypes }).problems
const short = (problems: ReturnType<typeof of>) => problems.map(({ severity, path, message }) => `${severity} ${path}: ${message}`)

const loop = (id: string, nodes: readonly unknown[], edges: readonly unknown[] = [], config: object = {}) => ({
  id,
  type: 'flow.loop',
  config: { items: '{{ trigger.body.list }}', body: { nodes, edges }, ...config },
})

test('a body is checked like the whole, each mistake with its place', () => {
  const sound = loop('each', [set('a', { n: '{{ item + index }}' }), set('b', { n: '{{ steps.a.output.n }}' })], [edge('a', 'b')])
  expect(of([hook, sound, set('after', { all: '{{ steps.each.output.items }}' })], [edge('hook', 'each'), edge('each', 'after')])).toEqual(
    [],
  )
  const inner = loop('inner', [set('deep', { n: '{{ itm }}' }), { id: 'x', type: 'data.sett' }], [edge('deep', 'nowhere')])
  expect(short(of([hook, loop('each', [inner, { id: 'hook2', type: 'trigger.manual' }, set('hook')])], [edge('hook', 'each')]))).toEqual([
    expect.stringMatching(/^error \/nodes\/1\/config\/body\/nodes\/2\/id: The id "hook" is taken/),
    expect.stringMatching(/^error \/nodes\/1\/config\/body\/nodes\/1\/type: A trigger stands in no body/),
    expect.stringMatching(/^error \/nodes\/1\/config\/body\/nodes\/0\/config\/body\/nodes\/0\/config\/values\/n: .*itm/),
    expect.stringMatching(
      /^error \/nodes\/1\/config\/body\/nodes\/0\/config\/body\/nodes\/1\/type: There is no node type "data.sett"; did you mean "data.set"/,
    ),
    expect.stringMatching(/^error \/nodes\/1\/config\/body\/nodes\/0\/config\/body\/edges\/0\/to: There is no node "nowhere"/),
  ])
  const circle = loop('each', [set('a'), set('b')], [edge('a', 'b'), edge('b', 'a')])
  expect(short(of([hook, circle], [edge('hook', 'each')]))).toEqual([
    'error /nodes/1/config/body/edges/1: The nodes go round in a circle: b → a → b',
  ])
})

test('what a body may name is what comes before it, and nobody outside names what it does inside', () => {
  const body = [set('a', { n: '{{ steps.before.output }}', own: '{{ steps.each.output }}', later: '{{ steps.after.output }}' })]
  const nodes = [hook, set('before'), loop('each', body), set('after', { n: '{{ steps.a.output }}', i: '{{ item }}' })]
  const edges = [edge('hook', 'before'), edge('before', 'each'), edge('each', 'after')]
  expect(short(of(nodes, edges))).toEqual([
    expect.stringMatching(/^error \/nodes\/3\/config\/values\/i: .*item/),
    expect.stringMatching(
      /^error \/nodes\/3\/config\/values\/n: "a" stands in the body of "each", where it runs many times; from outside use steps.each.output/,
    ),
    expect.stringMatching(/^error \/nodes\/2\/config\/body\/nodes\/0\/config\/values\/own: "each" is the loop that this stands in/),
    expect.stringMatching(/^error \/nodes\/2\/config\/body\/nodes\/0\/config\/values\/later: "after" does not come before "a"/),
  ])
})

test('a loop has something to repeat, is not tried again as a whole, and stands in few others', () => {
  const bad = { ...loop('each', [], [], { parallel: 0, extra: 1 }), retry: { max_attempts: 2 }, timeout_ms: 5 }
  expect(short(of([hook, bad], [edge('hook', 'each')]))).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^error \/nodes\/1\/config\/parallel: "parallel" must be at least 1/),
      expect.stringMatching(/^error \/nodes\/1\/config\/extra: "extra" is not known here/),
      expect.stringMatching(/^error \/nodes\/1\/config\/body\/nodes: There is nothing to repeat/),
      expect.stringMatching(/^error \/nodes\/1\/retry: A loop is not tried again as a whole/),
      expect.stringMatching(/^error \/nodes\/1\/timeout_ms: A loop has no time limit/),
    ]),
  )
  let nested: object = set('leaf')
  for (let depth = 0; depth < 9; depth += 1) nested = loop(`l${depth}`, [nested])
  expect(short(of([hook, nested], [edge('hook', 'l8')]))).toEqual([
    expect.stringMatching(/^error .*: Loops stand in each other at most 8 deep/),
  ])
  expect(
    short(of([hook, { id: 'each', type: 'flow.loop', config: { items: [], body: { nodes: {}, more: 1 } } }], [edge('hook', 'each')])),
  ).toEqual([
    expect.stringMatching(/body\/edges: "edges" is missing/),
    expect.stringMatching(/body\/nodes: "nodes" must be a list/),
    expect.stringMatching(/body\/more: "more" is not known here/),
  ])
})
