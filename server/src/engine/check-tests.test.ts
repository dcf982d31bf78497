import { expect, test } from 'vitest'
import type { JsonObject } from '../lib/json.ts'
import { check } from './check.ts'
import { coreNodes } from './nodes/core.ts'

const nodeTypes = new Map(coreNodes.map((type) => [type.type, type]))

const fetching = { method: 'GET', url: 'https://example.com' }

const definition = (tests: unknown) => ({
  nodes: [
    { id: 'start', type: 'trigger.manual' },
    { id: 'which', type: 'flow.if', config: { condition: 'trigger.n > 1' } },
    {
      id: 'each',
      type: 'flow.loop',
      config: { items: 'trigger.list', body: { nodes: [{ id: 'fetch', type: 'http.request', config: fetching }], edges: [] } },
    },
  ],
  edges: [
    { from: 'start', to: 'which' },
    { from: 'which', port: 'true', to: 'each' },
  ],
  tests,
})

const sound = { name: 'It works', trigger: { node_id: 'start', payload: {} }, expect: { status: 'succeeded' } }

const problemsOf = (...tests: readonly JsonObject[]) =>
  check(definition(tests), { nodeTypes }).problems.map(({ path, message }) => [path, message])

test('sound tests have no problem', () => {
  const replies = {
    'each[0].fetch': [{ error: { code: 'http.status', message: '', retryable: true } }, { output: 1 }],
    fetch: { output: 2 },
  }
  const expected = {
    status: 'failed',
    error: { code: 'x' },
    steps: { 'each[0].fetch': 1, each: null },
    ports: { which: 'true', each: null },
  }
  expect(problemsOf(sound, { ...sound, name: 'Another', replies, expect: expected, ignore: ['/output/*/at'] })).toEqual([])
})

test('each mistake in a test is named with its place', () => {
  expect(check(definition({}), { nodeTypes }).problems).toMatchObject([{ path: '/tests' }])
  expect(problemsOf({ name: 'x' }).map(([path]) => path)).toEqual(expect.arrayContaining(['/tests/0/trigger', '/tests/0/expect']))
  expect(problemsOf(sound, sound)).toEqual([['/tests/1/name', 'The test at /tests/0 has this name already']])
  const cases: readonly (readonly [JsonObject, string])[] = [
    [{ trigger: { node_id: 'nope', payload: 1 } }, '/tests/0/trigger/node_id'],
    [{ trigger: { node_id: 'which', payload: 1 } }, '/tests/0/trigger/node_id'],
    [{ more: 1 }, '/tests/0/more'],
    [{ expect: { status: 'running' } }, '/tests/0/expect/status'],
    [{ expect: { status: 'failed', steps: { nope: 1 } } }, '/tests/0/expect/steps/nope'],
    [{ expect: { status: 'failed', ports: { which: 'maybe' } } }, '/tests/0/expect/ports/which'],
    [{ replies: { nope: { output: 1 } } }, '/tests/0/replies/nope'],
    [{ replies: { which: { output: 1 } } }, '/tests/0/replies/which'],
    [{ replies: { fetch: {} } }, '/tests/0/replies/fetch'],
    [{ replies: { fetch: [{ output: 1 }, { output: 1, error: { code: 'a', message: 'b' } }] } }, '/tests/0/replies/fetch/1'],
    [{ replies: { fetch: { output: 1, port: 'nope' } } }, '/tests/0/replies/fetch/port'],
    [{ replies: { fetch: [{ otput: 1 }] } }, '/tests/0/replies/fetch/0/otput'],
    [{ replies: { fetch: [] } }, '/tests/0/replies/fetch'],
    [{ ignore: ['output'] }, '/tests/0/ignore/0'],
  ]
  for (const [change, path] of cases) expect(problemsOf({ ...sound, ...change }).map(([at]) => at)).toContain(path)
})
