import { Type } from 'typebox'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Json } from '../lib/json.ts'
import { modules } from '../modules.ts'
import { defineModule } from '../platform/module.ts'
import { testApp, type TestApp } from '../test-app.ts'
import { check } from './check.ts'
import { engine, nodeTypes, type Running } from './engine.ts'
import type { Definition } from './graph/definition.ts'
import { readExecution } from './history.ts'
import { effect, NodeFailure, type NodeInput, type NodeIo, type NodeResult } from './node.ts'

type Work = (input: NodeInput<{ name: string; value?: Json }>, io: NodeIo) => Promise<NodeResult>
let work: Work = () => Promise.resolve({ output: null })

const effects = defineModule({
  name: 'effects',
  nodes: [
    effect({
      type: 'test.effect',
      title: 'Effect',
      description: 'Does what the test says.',
      icon: 'bolt',
      config: Type.Object({ name: Type.String(), value: Type.Optional(Type.Unsafe<Json>(Type.Unknown())) }),
      output: Type.Unknown(),
      run: (input, io) => work(input, io),
    }),
  ],
})

let mill: TestApp
let beside: TestApp
beforeAll(async () => {
  mill = await testApp({ modules: [...modules, effects] })
  beside = await testApp({ modules: [...modules, effects], beside: mill, env: { MILLRACE_ENGINE_TAKEOVER_MS: '1000' } })
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})
beforeEach(() => {
  work = ({ config }) => Promise.resolve({ output: config.value ?? null })
})

const workspace_id = '01900000-0000-7000-8000-000000000001'
const hook = { id: 'start', type: 'trigger.manual' }
const set = (id: string, values: object) => ({ id, type: 'data.set', config: { values } })
const does = (id: string, value: Json, extra: object = {}) => ({ id, type: 'test.effect', config: { name: id, value }, ...extra })
const loop = (id: string, items: Json, nodes: readonly object[], more: object = {}, edges: readonly object[] = []) => ({
  id,
  type: 'flow.loop',
  config: { items, body: { nodes, edges }, ...more },
})
const chain = (...nodes: readonly object[]): Definition => ({
  nodes: [hook, ...nodes] as Definition['nodes'],
  edges: nodes.map((node, index) => ({
    from: (nodes[index - 1] as { id: string } | undefined)?.id ?? 'start',
    to: (node as { id: string }).id,
  })),
})

const start = async (definition: Definition, payload: Json = {}, on: TestApp = mill): Promise<Running> => {
  expect(check(definition, { nodeTypes: mill.app.use(nodeTypes) }).problems).toEqual([])
  const workflow_id = mill.app.newId()
  await mill.app.asSystem('a test deploys', workspace_id).tx((tx) => tx.use(engine).deploy(tx, { workflow_id, version: 1, definition }))
  return on.app.use(engine).start({ workspace_id, workflow_id, version: 1, mode: 'live', trigger_node_id: 'start', payload })
}
const ends = async (definition: Definition, payload: Json = {}) => (await start(definition, payload)).finished
const recordsOf = async ({ execution_id }: Running) => {
  const rows = await mill.database.owner`select body from execution_records where execution_id = ${execution_id} order by seq`
  return rows.map((row) => row['body'] as { steps: { path?: string; node_id: string }[]; regions?: { turns?: { outputs: Json[] } }[] })
}
const pathsOf = async (running: Running) =>
  (await recordsOf(running)).flatMap(({ steps }) => steps.map((step) => step.path ?? step.node_id))

describe('a loop', () => {
  test('gives the last output of its body for each item, in the order of the items', async () => {
    const body = [
      set('double', { n: '{{ item * 2 }}' }),
      set('result', { at: '{{ index }}', n: '{{ steps.double.output.n + trigger.add }}' }),
    ]
    const each = loop('each', '{{ trigger.list }}', body, {}, [{ from: 'double', to: 'result' }])
    const after = set('after', { sum: '{{ steps.each.output.items.map(x, x.n) }}' })
    expect(await ends(chain(each, after), { list: [1, 2, 3], add: 1 })).toEqual({
      status: 'succeeded',
      output: { sum: [3, 5, 7] },
      error: null,
    })
    expect(await ends(chain(each), { list: [], add: 1 })).toMatchObject({ output: { items: [], errors: [] } })
    expect(await ends(chain(each), { list: [5], add: 0 })).toMatchObject({ output: { items: [{ at: 0, n: 10 }], errors: [] } })
  })

  test('goes through batches, and through loops in loops', async () => {
    const batches = loop('batches', '{{ trigger.list }}', [set('size', { all: '{{ item }}' })], { batch_size: 2 })
    expect(await ends(chain(batches), { list: [1, 2, 3] })).toMatchObject({ output: { items: [{ all: [1, 2] }, { all: [3] }] } })
    const inner = loop('inner', '{{ item }}', [set('leaf', { n: '{{ item }}', at: '{{ index }}' })])
    expect(await ends(chain(loop('outer', '{{ trigger.rows }}', [inner])), { rows: [[1, 2], [], [3]] })).toMatchObject({
      output: {
        items: [
          {
            items: [
              { n: 1, at: 0 },
              { n: 2, at: 1 },
            ],
          },
          { items: [] },
          { items: [{ n: 3, at: 0 }] },
        ],
      },
    })
  })

  test('runs the effects of its body so many items at a time, each under a key of its own', async () => {
    const keys: string[] = []
    let running = 0
    let most = 0
    work = async ({ config }, io) => {
      keys.push(io.idempotency_key.slice(io.execution_id.length + 1))
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running -= 1
      return { output: config.value ?? null }
    }
    const body = [does('fetch', '{{ item }}'), set('result', { got: '{{ steps.fetch.output }}' })]
    const running_one = await start(chain(loop('each', '{{ trigger.list }}', body, { parallel: 3 }, [{ from: 'fetch', to: 'result' }])), {
      list: [10, 11, 12, 13, 14, 15, 16],
    })
    expect(await running_one.finished).toMatchObject({ output: { items: [10, 11, 12, 13, 14, 15, 16].map((got) => ({ got })) } })
    expect(most).toBe(3)
    expect(keys.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6].map((index) => `each[${index}].fetch`))
    const paths = await pathsOf(running_one)
    expect(paths).toHaveLength(15)
    expect(paths.at(-1)).toBe('each')
    expect(new Set(paths)).toContain('each[6].result')
  })

  test('records turns without effects as a whole', async () => {
    const list = Array.from({ length: 3_000 }, (_, n) => n)
    const running = await start(chain(loop('each', '{{ trigger.list }}', [set('one', { n: '{{ item }}' })])), { list })
    const { output } = await running.finished
    expect(output).toEqual({ items: list.map((n) => ({ n })), errors: [] })
    const records = await recordsOf(running)
    expect(records.flatMap(({ steps }) => steps.map((step) => step.node_id))).toEqual(['each'])
    expect(records.flatMap(({ regions = [] }) => regions.flatMap(({ turns }) => turns?.outputs ?? []))).toEqual(list.map((n) => ({ n })))
  })

  test('of many effects is listed in pages, and its output is put together from all of them', async () => {
    const list = Array.from({ length: 2_500 }, (_, n) => n)
    const running = await start(chain(loop('each', '{{ trigger.list }}', [does('fetch', '{{ item }}')], { parallel: 100 })), { list })
    await running.finished
    const paths: string[] = []
    let pages = 0
    for (let from: number | null = 0; from !== null; pages += 1) {
      const page = await readExecution(mill.app.asSystem('a test looks'), running.execution_id, { payloads: false, from_record: from })
      expect(page?.output).toEqual({ items: list, errors: [] })
      expect(page?.steps.length).toBeLessThan(1_700)
      paths.push(...(page?.steps.map((step) => step.path) ?? []))
      from = page?.next_record ?? null
    }
    expect(pages).toBeGreaterThan(1)
    expect(new Set(paths)).toEqual(new Set([...list.map((n) => `each[${n}].fetch`), 'each']))
    expect(paths).toHaveLength(2_501)
  })

  test('fails with the first item that fails, and takes back what else is in flight', async () => {
    const aborted: string[] = []
    work = ({ config }, io) => {
      if (config.value === 2) return Promise.reject(new NodeFailure({ code: 'test.bad', message: 'not this one' }))
      return new Promise((_, reject) =>
        io.signal.addEventListener('abort', () => {
          aborted.push(io.path)
          reject(new Error('aborted'))
        }),
      )
    }
    const definition = chain(loop('each', '{{ trigger.list }}', [does('fetch', '{{ item }}')], { parallel: 3 }))
    expect(await ends(definition, { list: [0, 1, 2, 3] })).toEqual({
      status: 'failed',
      output: null,
      error: {
        code: 'test.bad',
        message: 'Item 2, "fetch": not this one',
        details: { index: 2, node_id: 'fetch' },
        node_id: 'each',
      },
    })
    expect(aborted.toSorted()).toEqual(['each[0].fetch', 'each[1].fetch'])
  })

  test('collects the errors of items when it is told to, with effects and without', async () => {
    work = ({ config }) =>
      (config.value as number) % 2 === 0
        ? Promise.resolve({ output: config.value ?? null })
        : Promise.reject(new NodeFailure({ code: 'test.odd', message: 'odd' }))
    const collect = { on_item_error: 'collect', parallel: 2 }
    expect(
      await ends(chain(loop('each', '{{ trigger.list }}', [does('fetch', '{{ item }}')], collect)), { list: [0, 1, 2, 3] }),
    ).toMatchObject({
      status: 'succeeded',
      output: { items: [0, null, 2, null], errors: [{ index: 1, code: 'test.odd', node_id: 'fetch' }, { index: 3 }] },
    })
    const pure = chain(loop('each', '{{ trigger.list }}', [set('one', { n: '{{ 10 / item }}' })], collect))
    expect(await ends(pure, { list: [1, 'x', 5] })).toMatchObject({
      status: 'succeeded',
      output: { items: [{ n: 10 }, null, { n: 2 }], errors: [{ index: 1, node_id: 'one' }] },
    })
  })

  test('goes on through its port error, and what its items still do counts for nothing', async () => {
    const late = Promise.withResolvers<void>()
    work = async ({ config }) => {
      if (config.name === 'after') late.resolve()
      if (config.name !== 'fetch') return { output: 'sorry' }
      if (config.value === 1) throw new NodeFailure({ code: 'test.bad', message: 'bad' })
      await late.promise
      return { output: 'late' }
    }
    const each = { ...loop('each', '{{ trigger.list }}', [does('fetch', '{{ item }}')], { parallel: 2 }), on_error: 'error' }
    const definition: Definition = {
      nodes: [hook, each, does('after', 1), does('end', 1)] as Definition['nodes'],
      edges: [
        { from: 'start', to: 'each' },
        { from: 'each', port: 'error', to: 'after' },
        { from: 'after', to: 'end' },
      ],
    }
    expect(await ends(definition, { list: [0, 1] })).toMatchObject({ status: 'succeeded', output: 'sorry' })
  })

  test('tries the nodes of its body again by themselves', async () => {
    const tries = new Map<string, number>()
    work = ({ config }, io) => {
      tries.set(io.path, io.attempt)
      return io.attempt < 3
        ? Promise.reject(new NodeFailure({ code: 'test.again', message: 'again', retryable: true }))
        : Promise.resolve({ output: config.value ?? null })
    }
    const fetch = does('fetch', '{{ item }}', { retry: { max_attempts: 3, delay_ms: 5, backoff: 'fixed' } })
    expect(await ends(chain(loop('each', '{{ trigger.list }}', [fetch], { parallel: 2 })), { list: [7, 8, 9] })).toMatchObject({
      output: { items: [7, 8, 9] },
    })
    expect([...tries]).toHaveLength(3)
  })

  test('is refused what is no list, and more than an execution may give', async () => {
    const each = chain(loop('each', '{{ trigger.list }}', [set('one', { text: '{{ trigger.text }}' })], { on_item_error: 'collect' }))
    expect(await ends(each, { list: 'abc' })).toMatchObject({ status: 'failed', error: { code: 'flow.not_a_list', node_id: 'each' } })
    expect(await ends(each, { list: Array.from({ length: 100 }, () => 0), text: 'x'.repeat(1_000_000) })).toMatchObject({
      status: 'failed',
      error: { code: 'engine.execution_too_large', node_id: 'each' },
    })
  })
})

describe('a while', () => {
  const again = (condition: string, nodes: readonly object[], more: object = {}) => ({
    id: 'again',
    type: 'flow.while',
    config: { condition, body: { nodes, edges: [] }, ...more },
  })

  test('goes on as long as its condition holds, with what the last iteration gave', async () => {
    const node = again('item.n < 5', [set('next', { n: '{{ item.n + 1 }}', at: '{{ index }}' })])
    expect(await ends(chain(node), { n: 0 })).toMatchObject({ output: { item: { n: 5, at: 4 }, iterations: 5 } })
    expect(await ends(chain(node), { n: 7 })).toMatchObject({ output: { item: { n: 7 }, iterations: 0 } })
    work = ({ input }) => Promise.resolve({ output: { n: (input as { n: number }).n + 2 } })
    expect(await ends(chain(again('item.n < 5', [does('next', null)])), { n: 0 })).toMatchObject({
      output: { item: { n: 6 }, iterations: 3 },
    })
  })

  test('fails when it goes on for too long', async () => {
    expect(await ends(chain(again('true', [set('next', {})], { max_iterations: 10 })))).toMatchObject({
      status: 'failed',
      error: { code: 'flow.too_many_iterations', node_id: 'again' },
    })
  })
})

describe('a loop of a process that dies', () => {
  test('is gone on with where another process left it, and repeats only what was in flight', async () => {
    const done: string[] = []
    const stuck = Promise.withResolvers<void>()
    let blocked = true
    work = async ({ config }, io) => {
      done.push(`${io.path} ${io.app === mill.app ? 'here' : 'there'}`)
      if (blocked && config.value === 30) {
        stuck.resolve()
        await new Promise((_, reject) => io.signal.addEventListener('abort', () => reject(new Error('aborted'))))
      }
      return { output: config.value ?? null }
    }
    const pure = loop('before', '{{ trigger.list }}', [set('twice', { n: '{{ item * 10 }}' })])
    const body = [does('fetch', '{{ item.n }}'), loop('more', '{{ [1, 2] }}', [set('m', { n: '{{ steps.fetch.output + item }}' })])]
    const each = loop('each', '{{ steps.before.output.items }}', body, {}, [{ from: 'fetch', to: 'more' }])
    const running = await start(chain(pure, each), { list: [1, 2, 3, 4] }, mill)
    await stuck.promise
    blocked = false
    // Its lease goes to nobody: another process finds it.
    await mill.database.owner`update engine_workers set state = 'dead', epoch = epoch + 1 where id = ${mill.app.instance_id}`
    await mill.database.owner`update executions set worker_id = null, status = 'queued' where id = ${running.execution_id}`
    await expect
      .poll(async () => (await mill.database.owner`select status from executions where id = ${running.execution_id}`)[0]?.['status'], {
        timeout: 10_000,
      })
      .toBe('succeeded')
    expect(done.map((line) => line.split(' ')[0])).toEqual([
      'each[0].fetch',
      'each[1].fetch',
      'each[2].fetch',
      'each[2].fetch',
      'each[3].fetch',
    ])
    const all = await pathsOf(running)
    expect(all.filter((path) => path.endsWith('.more'))).toEqual(['each[0].more', 'each[1].more', 'each[2].more', 'each[3].more'])
  })
})
