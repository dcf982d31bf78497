import { expect, test } from 'vitest'
import type { JsonObject } from '../../lib/json.ts'
import { check } from '../check.ts'
import type { NodeType } from '../node.ts'
import { coreNodes } from './core.ts'
import { aggregateNode } from './data-aggregate.ts'
import { filterNode } from './data-filter.ts'
import { mapNode } from './data-map.ts'
import { sortNode } from './data-sort.ts'
import { stopNode } from './flow-stop.ts'
import { switchNode } from './flow-switch.ts'
import { definitionWith } from './node.testing.ts'

const nodeTypes = new Map(coreNodes.map((type) => [type.type, type]))

const problemsOf = (type: NodeType, config: JsonObject, edges: readonly { from: string; port?: string; to: string }[] = []) => {
  const definition = definitionWith(type, config)
  const after = { id: 'after', type: 'data.set', config: { values: {} } }
  const whole = { nodes: [...definition.nodes, after], edges: [...definition.edges, ...edges] }
  const { problems } = check(whole, { nodeTypes })
  return problems.filter(({ severity }) => severity === 'error').map(({ path, message }) => `${path}: ${message}`)
}

test('a switch with a port twice, or one that it has anyway, is refused with its place', () => {
  const config = { cases: ['a', 'a', 'otherwise', 'error'].map((port) => ({ port, when: 'true' })) }
  expect(problemsOf(switchNode, config)).toEqual([
    '/nodes/1/config/cases/1/port: "a" is the port of case 0 already',
    '/nodes/1/config/cases/2/port: "otherwise" is a port that every switch has; name it differently',
    '/nodes/1/config/cases/3/port: "error" is a port that every switch has; name it differently',
  ])
})

test('an edge leaves a switch through the port of a case or through otherwise', () => {
  const config = { cases: [{ port: 'a', when: 'true' }] }
  const through = (port: string) => problemsOf(switchNode, config, [{ from: 'node', port, to: 'after' }])
  expect([through('a'), through('otherwise')]).toEqual([[], []])
  expect(through('b')).toEqual(['/edges/1/port: "node" (flow.switch) has no port "b"; it has "a", "otherwise"'])
})

test('nothing follows a stop', () => {
  expect(problemsOf(stopNode, { status: 'failed' }, [{ from: 'node', to: 'after' }])).toEqual([
    '/edges/1/port: "node" (flow.stop) has no port "out"; it has none',
  ])
})

test('conditions that can never be true or false are refused, for a case as for an element', () => {
  expect(problemsOf(switchNode, { cases: [{ port: 'a', when: '"text"' }] })).toEqual([
    '/nodes/1/config/cases/0/when: The expression gives a text; this field takes true or false',
  ])
  expect(problemsOf(filterNode, { items: 'trigger', condition: 'size(item.tags)' })).toEqual([
    '/nodes/1/config/condition: The expression gives a number; this field takes true or false',
  ])
})

test('item and index are known where something is evaluated for each element, and nowhere else', () => {
  expect(problemsOf(mapNode, { items: 'trigger', values: { deep: [{ text: 'No. {{ index }}: {{ item.name }}' }] } })).toEqual([])
  expect(problemsOf(mapNode, { items: 'item', expression: 'item' })).toEqual([expect.stringContaining('/nodes/1/config/items: ')])
  expect(problemsOf(switchNode, { cases: [{ port: 'a', when: 'item > 1' }] })).toEqual([
    expect.stringContaining('/nodes/1/config/cases/0/when: '),
  ])
})

test('a mistake in the expression of an element has its place', () => {
  expect(problemsOf(sortNode, { items: 'trigger', by: [{ expression: 'item.a' }, { expression: 'item.' }] })).toEqual([
    expect.stringMatching(/^\/nodes\/1\/config\/by\/1\/expression: .*line 1, column \d+/),
  ])
  expect(problemsOf(mapNode, { items: 'trigger', expression: 'steps.gone.output + item' })).toEqual([
    expect.stringContaining('/nodes/1/config/expression: There is no step "gone"'),
  ])
})

test('map takes an expression or values', () => {
  for (const config of [{}, { expression: 'item', values: {} }])
    expect(problemsOf(mapNode, { items: 'trigger', ...config })).toEqual(['/nodes/1/config: It takes either "expression" or "values"'])
})

test('an aggregate names each field once and says what it adds up', () => {
  const fields = [
    { name: 'team', op: 'count' },
    { name: 'sum', op: 'sum' },
    { name: 'sum', op: 'max', of: 'item' },
  ]
  expect(problemsOf(aggregateNode, { items: 'trigger', group_by: { team: 'item' }, fields })).toEqual([
    '/nodes/1/config/fields/0/name: The result has a field "team" already',
    '/nodes/1/config/fields/1/of: "sum" needs "of"',
    '/nodes/1/config/fields/2/name: The result has a field "sum" already',
  ])
  expect(problemsOf(aggregateNode, { items: 'trigger', fields: [{ name: 'a', op: 'median', of: 'item' }] })).toEqual([
    expect.stringContaining('must be one of "count", "sum"'),
  ])
})
