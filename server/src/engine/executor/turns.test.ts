import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Type } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Json } from '../../lib/json.ts'
import { modules } from '../../modules.ts'
import { defineModule } from '../../platform/module.ts'
import { testApp, type TestApp } from '../../test-app.ts'
import { engine, type Running } from '../engine.ts'
import type { Definition } from '../graph/definition.ts'
import { readExecution } from '../history.ts'
import { effect } from '../node.ts'

const broken_off = Promise.withResolvers<void>()
const begun: string[] = []

const effects = defineModule({
  name: 'effects',
  nodes: [
    effect({
      type: 'test.slow',
      title: 'Slow',
      description: 'Goes on until it is broken off.',
      icon: 'bolt',
      config: Type.Object({}),
      output: Type.Unknown(),
      run: (_, io) =>
        new Promise((_resolve, reject) => {
          begun.push(io.node_id)
          io.signal.addEventListener('abort', () => {
            broken_off.resolve()
            reject(new Error('broken off'))
          })
        }),
    }),
    effect({
      type: 'test.note',
      title: 'Note',
      description: 'Notes that it ran.',
      icon: 'bolt',
      config: Type.Object({}),
      output: Type.Unknown(),
      run: (_, io) => {
        begun.push(io.node_id)
        return Promise.resolve({ output: io.node_id })
      },
    }),
  ],
})

let mill: TestApp
beforeAll(async () => {
  mill = await testApp({ modules: [...modules, effects] })
})
afterAll(() => mill.close())

const workspace_id = '01900000-0000-7000-8000-000000000001'
const manual = { id: 'start', type: 'trigger.manual' }

const start = async (nodes: Definition['nodes'], edges: Definition['edges'], payload: Json = {}, settings = {}): Promise<Running> => {
  const workflow_id = mill.app.newId()
  const definition = { nodes: [manual, ...nodes], edges, settings }
  await mill.app.asSystem('a test deploys', workspace_id).tx((tx) => tx.use(engine).deploy(tx, { workflow_id, version: 1, definition }))
  return mill.app.use(engine).start({ workspace_id, workflow_id, version: 1, mode: 'live', trigger_node_id: 'start', payload })
}
const read = (running: Running) => readExecution(mill.app.asSystem('a test looks'), running.execution_id, { payloads: true })

const hundred_thousand = Array.from({ length: 100_000 }, (_, index) => index)

test('100,000 elements are gone over while others have their turn', async () => {
  const nodes = [
    { id: 'odd', type: 'data.filter', config: { items: 'trigger', condition: 'item % 2 == 1' } },
    {
      id: 'sorted',
      type: 'data.sort',
      config: { items: 'steps.odd.output', by: [{ expression: 'item % 1000' }, { expression: 'item', order: 'desc' }] },
    },
    { id: 'sum', type: 'data.aggregate', config: { items: 'steps.sorted.output', fields: [{ name: 'sum', op: 'sum', of: 'item' }] } },
  ]
  const edges = [
    { from: 'start', to: 'odd' },
    { from: 'odd', to: 'sorted' },
    { from: 'sorted', to: 'sum' },
  ]
  const warm = await start(nodes, edges, [1])
  await warm.finished
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const running = await start(nodes, edges, hundred_thousand)
  await running.accepted
  delay.enable()
  expect(await running.finished).toEqual({ status: 'succeeded', output: { sum: 2_500_000_000 }, error: null })
  delay.disable()
  // A loop that ran through would hold the server for as long as all of it takes.
  expect(delay.percentile(50) / 1e6).toBeLessThan(50)
  expect((await read(running))?.steps.map(({ node_id, attempt }) => [node_id, attempt])).toEqual([
    ['odd', 1],
    ['sorted', 1],
    ['sum', 1],
  ])
})

test('what takes long in turns has the time limit of its node, and fails like any step', async () => {
  const config = { items: 'trigger', expression: 'trigger.filter(n, n < item).size()' }
  const running = await start(
    [
      { id: 'slow', type: 'data.map', config, timeout_ms: 30, on_error: 'error' },
      { id: 'caught', type: 'test.note' },
    ],
    [
      { from: 'start', to: 'slow' },
      { from: 'slow', port: 'error', to: 'caught' },
    ],
    hundred_thousand.slice(0, 5_000),
  )
  expect(await running.finished).toMatchObject({ status: 'succeeded', output: 'caught' })
  expect((await read(running))?.steps[0]).toMatchObject({ node_id: 'slow', error: { code: 'node.timeout' } })
})

test('what takes long in turns ends with the execution', async () => {
  const config = { items: 'trigger', expression: 'trigger.filter(n, n < item).size()' }
  const running = await start([{ id: 'slow', type: 'data.map', config }], [{ from: 'start', to: 'slow' }], hundred_thousand.slice(0, 5_000))
  await running.accepted
  expect(await mill.app.use(engine).cancel(running.execution_id)).toBe(true)
  expect(await running.finished).toMatchObject({ status: 'cancelled' })
})

test('a fault in the expression of an element names the element', async () => {
  const nodes = [{ id: 'map', type: 'data.map', config: { items: 'trigger', expression: 'item.price * 2' } }]
  const running = await start(nodes, [{ from: 'start', to: 'map' }], [{ price: 1 }, { cost: 1 }])
  expect(await running.finished).toMatchObject({
    status: 'failed',
    error: {
      code: 'expression.missing',
      node_id: 'map',
      message: expect.stringContaining('(element 1)'),
      details: { field: '/expression', index: 1 },
    },
  })
})

const cases = [
  { port: 'big', when: 'trigger.n > 10' },
  { port: 'even', when: 'trigger.n % 2 == 0' },
  { port: 'named', when: 'trigger.name == "x"' },
]
const fork = (first_match: boolean): [Definition['nodes'], Definition['edges']] => [
  [
    { id: 'pick', type: 'flow.switch', config: { cases, first_match } },
    ...['big', 'even', 'named', 'otherwise'].map((id) => ({
      id,
      type: 'data.set',
      config: { values: { n: '{{ steps.pick.output.n }}' } },
    })),
    { id: 'all', type: 'flow.merge' },
  ],
  [
    { from: 'start', to: 'pick' },
    ...['big', 'even', 'named', 'otherwise'].flatMap((port) => [
      { from: 'pick', port, to: port },
      { from: port, to: 'all' },
    ]),
  ],
]

test('a switch goes through the first case that matches, and looks at none after it', async () => {
  expect(await (await start(...fork(true), { n: 12 })).finished).toMatchObject({ output: { big: { n: 12 } } })
  expect(await (await start(...fork(true), { n: 4 })).finished).toMatchObject({ output: { even: { n: 4 } } })
  expect(await (await start(...fork(true), { n: 5, name: 'y' })).finished).toMatchObject({ output: { otherwise: { n: 5 } } })
  expect(await (await start(...fork(true), { n: 5 })).finished).toMatchObject({ status: 'failed', error: { code: 'expression.missing' } })
})

test('a switch that takes every match goes through several ports at once, also when it is read again', async () => {
  const running = await start(...fork(false), { n: 12, name: 'x' })
  const each = { n: 12 }
  expect(await running.finished).toMatchObject({ output: { big: each, even: each, named: each } })
  const steps = (await read(running))?.steps ?? []
  expect(steps.find(({ node_id }) => node_id === 'all')?.input).toEqual({ big: each, even: each, named: each })
  expect(await (await start(...fork(false), { n: 5, name: 'y' })).finished).toEqual({
    status: 'succeeded',
    output: { otherwise: { n: 5 } },
    error: null,
  })
})

test.each(['succeeded', 'failed'] as const)('stop ends the whole execution as %s and breaks off what is under way', async (status) => {
  begun.length = 0
  const message = 'Enough of {{ trigger.what }}'
  const running = await start(
    [
      { id: 'slow', type: 'test.slow' },
      { id: 'first', type: 'test.note' },
      { id: 'stop', type: 'flow.stop', config: { status, message }, on_error: 'error' },
      { id: 'after', type: 'test.note' },
    ],
    [
      { from: 'start', to: 'slow' },
      { from: 'start', to: 'first' },
      { from: 'first', to: 'stop' },
      { from: 'first', to: 'after' },
      { from: 'stop', port: 'error', to: 'after' },
    ],
    { what: 'this' },
  )
  expect(await running.finished).toEqual(
    status === 'succeeded'
      ? { status, output: { status, message: 'Enough of this' }, error: null }
      : { status, output: null, error: { code: 'flow.stopped', message: 'Enough of this', details: null, node_id: 'stop' } },
  )
  await broken_off.promise
  expect(begun.toSorted()).toEqual(['first', 'slow'])
  expect(await read(running)).toMatchObject({ status, output: status === 'succeeded' ? { message: 'Enough of this' } : null })
})

test('in the body of a loop they do the same: lists, several ports at once, and the end of the whole execution', async () => {
  const body = {
    nodes: [
      { id: 'each', type: 'data.map', config: { items: 'item.list', expression: 'item * 2 + index' } },
      {
        id: 'pick',
        type: 'flow.switch',
        config: {
          cases: [
            { port: 'all', when: 'true' },
            { port: 'end', when: 'item.end' },
          ],
          first_match: false,
        },
      },
      { id: 'sum', type: 'data.aggregate', config: { items: 'steps.each.output', fields: [{ name: 'sum', op: 'sum', of: 'item' }] } },
      { id: 'stop', type: 'flow.stop', config: { status: 'succeeded', message: 'At {{ index }}' } },
    ],
    edges: [
      { from: 'each', to: 'pick' },
      { from: 'pick', port: 'all', to: 'sum' },
      { from: 'pick', port: 'end', to: 'stop' },
    ],
  }
  const loop = { id: 'loop', type: 'flow.loop', config: { items: '{{ trigger }}', body } }
  const edges = [{ from: 'start', to: 'loop' }]
  const turns = (end: boolean) => [
    { list: [1, 2], end: false },
    { list: hundred_thousand, end },
  ]
  expect(await (await start([loop], edges, turns(false))).finished).toMatchObject({
    status: 'succeeded',
    output: { items: [{ sum: 7 }, { sum: 3 * 4_999_950_000 }], errors: [] },
  })
  expect(await (await start([loop], edges, turns(true))).finished).toMatchObject({ status: 'succeeded', output: { message: 'At 1' } })
})
