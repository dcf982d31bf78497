import { monitorEventLoopDelay } from 'node:perf_hooks'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Json } from '../../../../lib/json.ts'
import { check } from '../../../../engine/check.ts'
import { coreNodes } from '../../../../engine/nodes/core.ts'
import { type TestApp, testApp, type TestUser } from '../../../../test-app.ts'
import { convert } from './convert.ts'
import { placeholderNode } from './placeholder.ts'

let mill: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
})
afterAll(() => mill.close())

const node = (name: string, kind = 'noOp', parameters: object = {}) => ({
  name,
  type: `n8n-nodes-base.${kind}`,
  typeVersion: 1,
  position: [0, 0],
  parameters,
})
const to = (...names: string[]) => ({ main: [names.map((name) => ({ node: name, type: 'main', index: 0 }))] })
const many = (count: number, kind?: string) => Array.from({ length: count }, (_, index) => node(`n${index}`, kind))
const chained = (count: number) => Object.fromEntries(Array.from({ length: count - 1 }, (_, index) => [`n${index}`, to(`n${index + 1}`)]))

const files: readonly (readonly [what: string, file: object, says: string | null])[] = [
  ['10,000 nodes', { nodes: many(10_000), connections: {} }, '2000 can be imported'],
  [
    '20,000 connections',
    { nodes: many(2), connections: { n0: to(...Array.from({ length: 20_000 }, () => 'n1')) } },
    '10000 can be imported',
  ],
  ['a circle without a loop', { nodes: many(3), connections: { n0: to('n1'), n1: to('n2'), n2: to('n0') } }, '"n0", "n1", "n2"'],
  ['a node that leads to itself', { nodes: many(1), connections: { n0: to('n0') } }, 'circle'],
  ['two nodes of one name', { nodes: [node('a'), node('a')], connections: {} }, 'two nodes of the name "a"'],
  ['a connection to nowhere', { nodes: many(1), connections: { n0: to('gone') } }, '"gone"'],
  ['a connection from nowhere', { nodes: many(1), connections: { gone: to('n0') } }, 'begin at a node that is not there'],
  ['nodes that are none', { nodes: [1, null, 'x', []], connections: {} }, 'must be an object'],
  ['nodes without a name or type', { nodes: [{ type: 'x' }, { name: 'y' }], connections: {} }, 'needs a name'],
  ['connections that are none', { nodes: many(1), connections: { n0: 5 } }, 'must be an object'],
  ['outputs that are none', { nodes: many(1), connections: { n0: { main: 'x' } } }, 'list of outputs'],
  ['300 loops', { nodes: many(300, 'splitInBatches'), connections: {} }, '200 can be imported'],
  ['a text of 5 MB', { nodes: [node('a', 'slack', { text: 'x'.repeat(5_000_000) })], connections: {} }, 'bytes of JSON'],
  [
    'loops that jump into each other',
    {
      nodes: [node('a', 'splitInBatches'), node('b', 'splitInBatches'), node('c')],
      connections: { a: { main: [[], [{ node: 'b' }]] }, b: { main: [[], [{ node: 'c' }]] }, c: to('a', 'b') },
    },
    'circle',
  ],
  [
    '2,000 nodes in a row',
    { nodes: [node('start', 'manualTrigger'), ...many(1_999, 'set')], connections: { start: to('n0'), ...chained(1_999) } },
    null,
  ],
  [
    '500 expressions in braces without an end',
    {
      nodes: [
        node('a', 'set', {
          values: {
            string: Array.from({ length: 500 }, (_, at) => ({ name: `f${at}`, value: `=${'{{ ('.repeat(50)}${'}} '.repeat(50)}` })),
          },
        }),
      ],
      connections: {},
    },
    null,
  ],
  [
    'a node of 1,000 expressions',
    {
      nodes: [
        node('a', 'set', {
          values: {
            string: Array.from({ length: 1000 }, (_, at) => ({ name: `f${at}`, value: `=${'{{ ('.repeat(50)}${'}} '.repeat(50)}` })),
          },
        }),
      ],
      connections: {},
    },
    '500 can be imported',
  ],
  [
    'a hundred Ifs that come together',
    { nodes: [node('start', 'manualTrigger'), ...many(300, 'if')], connections: { start: to('n0'), ...chained(300) } },
    null,
  ],
  [
    'names that reach into prototypes',
    {
      nodes: ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype'].map((name) => node(name, 'set')),
      connections: { constructor: to('toString') },
    },
    null,
  ],
  [
    'types that reach into prototypes',
    { nodes: ['constructor', '__proto__', 'toString', 'valueOf'].map((kind) => node(kind, kind)), connections: {} },
    null,
  ],
]

test.each(files)('%s: a clear answer, and nobody is held up', async (_, file, says) => {
  await anna.call('GET', '/api/v1/workflows')
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const started = performance.now()
  delay.enable()
  const { status, body } = await anna.call('POST', '/api/v1/workflows/import', { body: file })
  delay.disable()
  if (says === null) expect(body).toMatchObject({ workflow: { status: 'draft' } })
  else {
    expect([status, body.code]).toEqual([422, expect.stringMatching(/^workflows\.(?:file_unreadable|definition_too_large)$/)])
    expect(JSON.stringify(body)).toContain(says.replaceAll('"', '\\"'))
  }
  expect(performance.now() - started).toBeLessThan(10_000)
  // The machine has other work as well; a stall of the program would be seconds.
  expect(delay.max / 1e6).toBeLessThan(500)
})

const nodeTypes = new Map([...coreNodes, placeholderNode].map((type) => [type.type, type]))
const kinds = [
  'manualTrigger',
  'set',
  'if',
  'merge',
  'splitInBatches',
  'httpRequest',
  'code',
  'filter',
  'splitOut',
  'aggregate',
  'noOp',
  'wait',
  'switch',
  'limit',
  'slack',
  'stopAndError',
  'respondToWebhook',
]
const values: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    '={{ $json.a }}',
    "={{ $('n0').item.json.b }}",
    '={{ $input.all().map(i => i.json.x + 1) }}',
    '=text {{ $json.a.b[0] }} more',
    '={{ x y }}',
    '={{ $json.a.reduce((a, b) => a) }}',
    5,
    true,
    null,
  ),
  fc.string(),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
)
const parameters = fc.dictionary(
  fc.constantFrom(
    'values',
    'conditions',
    'url',
    'method',
    'mode',
    'jsCode',
    'rules',
    'assignments',
    'fieldToSplitOut',
    'batchSize',
    'options',
    'amount',
    'jsonOutput',
    'maxItems',
    'errorMessage',
    'output',
  ),
  fc.oneof(
    values,
    fc.constant({ assignments: [{ name: 'a', value: '={{ $json.a }}' }] }),
    fc.constant({ string: [{ name: 'x', value: '={{ $json.y }}', value1: '={{ $json.y }}' }] }),
  ),
  { maxKeys: 5 },
)
const graphs = fc.integer({ min: 1, max: 9 }).chain((count) =>
  fc.record({
    nodes: fc.array(
      fc.record({
        kind: fc.constantFrom(...kinds),
        parameters,
        typeVersion: fc.constantFrom(1, 2, 3, 4.2),
        onError: fc.constantFrom('stopWorkflow', 'continueErrorOutput', 'continueRegularOutput'),
        executeOnce: fc.boolean(),
        disabled: fc.boolean(),
      }),
      { minLength: count, maxLength: count },
    ),
    links: fc.array(fc.record({ from: fc.nat(count - 1), output: fc.nat(2), to: fc.nat(count - 1), input: fc.nat(1) }), { maxLength: 14 }),
  }),
)

test('whatever a file holds, it is refused with a reason or becomes a definition whose graph is sound', async () => {
  let made = 0
  await fc.assert(
    fc.asyncProperty(graphs, async ({ nodes, links }) => {
      const connections: { [name: string]: { main: { node: string; type: string; index: number }[][] } } = {}
      for (const { from, output, to: target, input } of links) {
        const { main } = (connections[`n${from}`] ??= { main: [[], [], []] })
        main[output]?.push({ node: `n${target}`, type: 'main', index: input })
      }
      const listed = nodes.map(({ kind, ...rest }, index) => ({ ...node(`n${index}`, kind), ...rest }))
      const converted = await convert({ nodes: listed, connections })
      if ('problems' in converted) return void expect(converted.problems.length).toBeGreaterThan(0)
      made += 1
      expect(converted.report.nodes.map((line) => line.node)).toEqual(listed.map(({ name }) => name))
      const { problems } = check(converted.workflow.definition, { nodeTypes })
      // What somebody wrote into a parameter may be wrong; how the steps hang together may not.
      const structure = problems.filter(
        ({ severity, path, message }) =>
          severity === 'error' && (/\/edges\/|\/id$/.test(path) || /circle|stands in the body|There is no step|has no port/.test(message)),
      )
      expect(structure).toEqual([])
    }),
    { numRuns: 400 },
  )
  expect(made).toBeGreaterThan(50)
}, 60_000)
