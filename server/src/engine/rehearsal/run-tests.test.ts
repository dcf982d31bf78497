import { readFile } from 'node:fs/promises'
import { Type } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { modules } from '../../modules.ts'
import { defineModule } from '../../platform/module.ts'
import { testApp, type TestApp } from '../../test-app.ts'
import { check } from '../check.ts'
import { nodeTypes } from '../engine.ts'
import type { Definition } from '../graph/definition.ts'
import type { TestCase } from '../graph/test-case.ts'
import { effect } from '../node.ts'
import { runTests } from './run-tests.ts'

const done: string[] = []

const world = defineModule({
  name: 'world',
  nodes: [
    effect({
      type: 'test.act',
      title: 'Act',
      description: 'Does something to the world.',
      icon: 'bolt',
      config: Type.Object({}, { additionalProperties: true }),
      output: Type.Unknown(),
      ports: ['out', 'other'],
      run: (_, io) => {
        done.push(io.path)
        return Promise.resolve({ output: 'done' })
      },
    }),
  ],
})

let mill: TestApp
beforeAll(async () => {
  mill = await testApp({ modules: [...modules, world] })
})
afterAll(() => mill.close())

const manual = { id: 'start', type: 'trigger.manual' }

/** Of a chain. */
const chain = (nodes: Definition['nodes'], more: Partial<Definition> = {}): Definition => ({
  nodes: [manual, ...nodes],
  edges: nodes.map(({ id }, index) => ({ from: index === 0 ? 'start' : (nodes[index - 1]?.id ?? ''), to: id })),
  ...more,
})

const testing = (more: Partial<TestCase>): TestCase => ({
  name: 'A test',
  trigger: { node_id: 'start', payload: { n: 2 } },
  expect: { status: 'succeeded' },
  ...more,
})

const run = async (definition: Definition, tests: readonly TestCase[]) => {
  const { problems } = check({ ...definition, tests }, { nodeTypes: mill.app.use(nodeTypes) })
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  return runTests(mill.app, { definition, tests })
}
const only = async (definition: Definition, more: Partial<TestCase>) => (await run(definition, [testing(more)])).results[0]

const set = (id: string, value: string) => ({ id, type: 'data.set', config: { values: { value } } })
const act = { id: 'act', type: 'test.act' }

test('what computes is run, what has an effect is answered, and what comes out is compared', async () => {
  const definition = chain([act, set('sum', '{{ steps.act.output + trigger.n }}')])
  const replies = { act: { output: 40 } }
  const { passed, failed, results } = await run(definition, [
    testing({ name: 'right', replies, expect: { status: 'succeeded', output: { value: 42 } } }),
    testing({ name: 'wrong', replies, expect: { status: 'succeeded', output: { value: 43 }, steps: { act: 41 } } }),
    testing({ name: 'ignored', replies, expect: { status: 'succeeded', output: { value: 43 } }, ignore: ['/output/value'] }),
  ])
  expect([passed, failed]).toEqual([2, 1])
  expect(results.map(({ name, ok }) => [name, ok])).toEqual([
    ['right', true],
    ['wrong', false],
    ['ignored', true],
  ])
  expect(results[1]?.differences).toEqual([
    { path: '/output/value', expected: 43, actual: 42 },
    { path: '/steps/act', expected: 41, actual: 40 },
  ])
  expect(done).toEqual([])
})

test('an effect without a reply fails the test, even where the workflow goes on after errors', async () => {
  const result = await only(chain([{ ...act, on_error: 'continue' }, set('after', 'x')]), {})
  expect(result).toMatchObject({ ok: false, error: 'There is no recorded reply for "act"' })
  expect(done).toEqual([])
})

test('a reply that nobody asks for is named', async () => {
  const definition: Definition = {
    nodes: [manual, { id: 'which', type: 'flow.if', config: { condition: 'trigger.n > 5' } }, act, set('small', 'small')],
    edges: [
      { from: 'start', to: 'which' },
      { from: 'which', port: 'true', to: 'act' },
      { from: 'which', port: 'false', to: 'small' },
    ],
  }
  const replies = { act: { output: 1 } }
  const expected = { status: 'succeeded', ports: { which: 'false', act: null }, output: { value: 'small' } } as const
  expect(await only(definition, { replies, expect: expected })).toMatchObject({ ok: true, unused_replies: ['act'] })
  const other = { status: 'succeeded', ports: { which: 'true', act: 'out' } } as const
  expect((await only(definition, { replies, expect: other }))?.differences).toEqual([
    { path: '/ports/which', expected: 'true', actual: 'false' },
    { path: '/ports/act', expected: 'out', actual: null },
  ])
})

test('retries take a reply each, and hours of waiting no time', async () => {
  const retry = { max_attempts: 3, delay_ms: 5 * 3_600_000, max_delay_ms: 10 * 3_600_000 }
  const away = { error: { code: 'http.status', message: 'Away', retryable: true } }
  const started = performance.now()
  const right = await only(chain([{ ...act, retry }]), {
    replies: { act: [away, away, { output: 'back', port: 'other' }] },
    expect: { status: 'succeeded', output: 'back', ports: { act: 'other' } },
  })
  expect(right).toMatchObject({ ok: true, differences: [] })
  const short = await only(chain([{ ...act, retry }]), { replies: { act: [away] } })
  expect(short?.error).toBe('There is no recorded reply for "act"')
  const spent = await only(chain([{ ...act, retry }]), {
    replies: { act: away },
    expect: { status: 'failed', error: { code: 'http.status', node_id: 'act' } },
  })
  expect(spent).toMatchObject({ ok: true })
  const limited = await only(chain([{ ...act, retry }], { settings: { timeout_ms: 3_600_000 } }), {
    replies: { act: [away, away] },
    expect: { status: 'timed_out', error: { code: 'execution.timed_out' } },
  })
  expect(limited).toMatchObject({ ok: true })
  expect(performance.now() - started).toBeLessThan(5_000)
})

test('a failure that was not expected says what failed', async () => {
  const result = await only(chain([set('wrong', '{{ trigger.n.m }}')]), { expect: { status: 'succeeded', output: 1 } })
  expect(result?.differences).toMatchObject([
    { path: '/status', expected: 'succeeded', actual: 'failed' },
    { path: '/error', actual: { node_id: 'wrong' } },
  ])
})

test('replies are by path in loops, which run as they always do', async () => {
  const body = { nodes: [act, set('double', '{{ steps.act.output * 2 }}')], edges: [{ from: 'act', to: 'double' }] }
  const definition = chain([{ id: 'each', type: 'flow.loop', config: { items: 'trigger.list', body, parallel: 3 } }])
  const result = await only(definition, {
    trigger: { node_id: 'start', payload: { list: [1, 2, 3] } },
    replies: Object.fromEntries([0, 1, 2].map((index) => [`each[${index}].act`, { output: index }])),
    expect: {
      status: 'succeeded',
      output: { items: [{ value: 0 }, { value: 2 }, { value: 4 }], errors: [] },
      steps: { 'each[2].double': { value: 4 } },
    },
  })
  expect(result).toMatchObject({ ok: true, differences: [], error: null })
})

test('programs run in the sandbox, with the time and the id of the execution that is tested', async () => {
  const source = 'export default (input, { execution }) => ({ n: input.n * 2, id: execution.id, at: new Date().toISOString() })'
  const execution = { id: '01900000-0000-7000-8000-000000000009', started_at: '2025-05-05T05:05:05.000Z' }
  const result = await only(chain([{ id: 'code', type: 'data.code', config: { source } }]), {
    execution,
    expect: { status: 'succeeded', output: { n: 4, id: execution.id, at: execution.started_at } },
  })
  expect(result).toMatchObject({ ok: true, differences: [] })
})

test('the tests on the page about them pass', async () => {
  const page = await readFile(new URL('../../../../docs/how-to/test-workflows.md', import.meta.url), 'utf8')
  const definition = JSON.parse(/```json\n([^]*?)```/.exec(page)?.[1] ?? '') as Definition
  const { passed, failed } = await run(definition, definition.tests ?? [])
  expect([passed, failed]).toEqual([2, 0])
})

test('what takes too much is broken off, and others have their turn meanwhile', async () => {
  const body = { nodes: [set('next', 'x')], edges: [] }
  const endless = { id: 'endless', type: 'flow.while', config: { condition: 'true', body, max_iterations: 1_000_000 } }
  let turns = 0
  const counting = setInterval(() => (turns += 1), 5)
  const called_off = AbortSignal.timeout(500)
  const report = await runTests(mill.app, {
    definition: chain([endless]),
    tests: [testing({}), testing({ name: 'B' })],
    signal: called_off,
  })
  clearInterval(counting)
  expect(report).toMatchObject({ passed: 0, failed: 2 })
  expect(report.results.every(({ error }) => error !== null)).toBe(true)
  // What ran through would leave none.
  expect(turns).toBeGreaterThan(5)
})
