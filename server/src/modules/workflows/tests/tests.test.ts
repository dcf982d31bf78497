import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../../test-app.ts'
import { create, manual, publish } from '../definitions.testing.ts'

let mill: TestApp
let anna: TestUser
let asked = 0
/** What the next requests are answered; 200 when it is empty. */
const statuses: number[] = []
const outside = createServer((request, response) => {
  asked += 1
  response.statusCode = statuses.shift() ?? 200
  const body = { n: asked, said: request.headers.authorization ?? null }
  response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
})
let url: string

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}/`
})
afterAll(async () => {
  await mill.close()
  outside.closeAllConnections()
  outside.close()
})

const post = (path: string, body: object = {}, headers: { [name: string]: string } = {}): Promise<TestReply> =>
  anna.call('POST', `/api/v1/workflows${path}`, { body, headers })
const draftOf = async (id: string) => (await anna.call('GET', `/api/v1/workflows/${id}`)).body.definition
const change = async (id: string, definition: object) => {
  const { status } = await anna.call('PUT', `/api/v1/workflows/${id}`, { body: { definition }, headers: { 'if-match': '*' } })
  expect(status).toBe(200)
}

const execute = async (id: string, input: object) => (await post(`/${id}/execute`, { input, wait_ms: 10_000 })).body

/** A request that is tried again, a branch, a loop with an effect in it, and what is made of the time and the id. */
const rich = () => ({
  nodes: [
    manual,
    { id: 'fetch', type: 'http.request', config: { method: 'POST', url }, retry: { max_attempts: 3, delay_ms: 1, jitter: false } },
    { id: 'which', type: 'flow.if', config: { condition: 'trigger.list.size() > 1' } },
    {
      id: 'each',
      type: 'flow.loop',
      config: {
        items: 'trigger.list',
        body: {
          nodes: [
            { id: 'send', type: 'http.request', config: { method: 'POST', url, body: '{{ item }}' } },
            { id: 'sent', type: 'data.set', config: { values: { item: '{{ item }}', n: '{{ steps.send.output.body.n }}' } } },
          ],
          edges: [{ from: 'send', to: 'sent' }],
        },
      },
    },
    {
      id: 'code',
      type: 'data.code',
      config: { source: 'export default ({ items }) => ({ count: items.length, at: Date.now(), random: Math.random() })' },
    },
    {
      id: 'sum',
      type: 'data.set',
      config: { values: { id: '{{ execution.id }}', at: '{{ execution.started_at }}', code: '{{ steps.code.output }}' } },
    },
    { id: 'few', type: 'data.set', config: { values: { few: true } } },
  ],
  edges: [
    { from: 'start', to: 'fetch' },
    { from: 'fetch', to: 'which' },
    { from: 'which', port: 'true', to: 'each' },
    { from: 'which', port: 'false', to: 'few' },
    { from: 'each', to: 'code' },
    { from: 'code', to: 'sum' },
  ],
})

test('an execution becomes a test that passes as long as the draft does the same', async () => {
  const id = await publish(anna, rich())
  statuses.push(503)
  const execution = await execute(id, { list: ['a', 'b'] })
  expect(execution).toMatchObject({ status: 'succeeded' })
  const before = asked
  const saved = await scenario(mill, {
    when: () => post(`/executions/${execution.id}/save-as-test`, { name: 'Two items' }),
    status: 201,
    events: ['workflows.updated'],
  })
  const { test: written } = saved.body
  expect(Object.keys(written.replies).toSorted()).toEqual(['each[0].send', 'each[1].send', 'fetch'])
  expect(written.replies.fetch).toMatchObject([{ error: { code: 'http.status', retryable: true } }, { output: { status: 200 } }])
  expect(written.expect).toMatchObject({ status: 'succeeded', output: { id: execution.id }, ports: { which: 'true' } })
  expect((await draftOf(id)).tests).toEqual([written])
  expect((await post(`/${id}/check`)).body.problems).toEqual([])

  const passed = await post(`/${id}/tests/run`)
  expect(passed.body).toMatchObject({
    passed: 1,
    failed: 0,
    results: [{ name: 'Two items', ok: true, differences: [], error: null, unused_replies: [] }],
  })

  const draft = await draftOf(id)
  const changed = draft.nodes.map((node: { id: string }) =>
    node.id === 'code' ? { ...node, config: { source: 'export default ({ items }) => ({ count: items.length + 1 })' } } : node,
  )
  await change(id, { ...draft, nodes: changed })
  const failed = await post(`/${id}/tests/run`, { names: ['Two items'] })
  expect(failed.body).toMatchObject({ passed: 0, failed: 1 })
  expect(failed.body.results[0].differences).toMatchObject([
    { path: '/output/code/count', expected: 2, actual: 3 },
    { path: '/output/code/at' },
    { path: '/output/code/random' },
  ])
  expect(asked).toBe(before)
})

test('a draft whose tests fail is not published, unless that is asked for', async () => {
  const set = { id: 'set', type: 'data.set', config: { values: { n: '{{ trigger.n + 1 }}' } } }
  const definition = (expected: number) => ({
    nodes: [manual, set],
    edges: [{ from: 'start', to: 'set' }],
    tests: [{ name: 'Adds', trigger: { node_id: 'start', payload: { n: 1 } }, expect: { status: 'succeeded', output: { n: expected } } }],
  })
  const { id } = await create(anna, definition(3))
  const { body } = await scenario(mill, {
    when: () => post(`/${id}/publish`),
    status: 422,
    body: {
      code: 'workflows.tests_failed',
      results: [{ name: 'Adds', ok: false, differences: [{ path: '/output/n', expected: 3, actual: 2 }] }],
    },
    events: [],
  })
  expect(body.detail).toBe('One test of 1 failed.')
  const skipped = await scenario(mill, { when: () => post(`/${id}/publish?skip_tests=true`), status: 201, events: ['workflows.published'] })
  expect(skipped.body.version).toBe(1)
  await change(id, definition(2))
  expect((await post(`/${id}/publish`, {}, { 'idempotency-key': 'once' })).body.version).toBe(2)
  expect((await post(`/${id}/publish`, {}, { 'idempotency-key': 'once' })).body.version).toBe(2)
  const told = (await mill.events()).filter(
    ({ name, data }) => name === 'workflows.published' && (data as { workflow_id: string }).workflow_id === id,
  )
  expect(told.map(({ data }) => (data as { tests: string }).tests)).toEqual(['skipped', 'passed'])
})

test('what was tested is what is published: a draft that changes meanwhile is refused', async () => {
  const source = 'export default () => { for (const end = Date.now() + 1e9, i = { n: 0 }; i.n < 3e6; i.n += 1); return 1 }'
  const definition = {
    nodes: [manual, { id: 'code', type: 'data.code', config: { source } }],
    edges: [{ from: 'start', to: 'code' }],
    tests: [{ name: 'Slow', trigger: { node_id: 'start', payload: {} }, expect: { status: 'succeeded' } }],
  }
  const { id } = await create(anna, definition)
  const publishing = post(`/${id}/publish`)
  await change(id, { ...definition, settings: { timezone: 'Europe/Vienna' } })
  const reply = await publishing
  // Whichever was first: the tests have run on what is published.
  if (reply.status === 201) expect(reply.body.definition.settings).toEqual({ timezone: 'Europe/Vienna' })
  else expect(reply.body.code).toBe('workflows.draft_changed')
})

test('a failed execution becomes a test that expects the failure', async () => {
  const id = await publish(anna, {
    nodes: [manual, { id: 'fetch', type: 'http.request', config: { method: 'GET', url } }],
    edges: [{ from: 'start', to: 'fetch' }],
  })
  statuses.push(404)
  const execution = await execute(id, {})
  const { body } = await post(`/executions/${execution.id}/save-as-test`, { name: 'Gone', ignore: ['/error/node_id'] })
  expect(body.test).toMatchObject({
    expect: { status: 'failed', error: { code: 'http.status', node_id: 'fetch' } },
    ignore: ['/error/node_id'],
  })
  expect((await post(`/${id}/tests/run`)).body).toMatchObject({ passed: 1 })
  const again = await post(`/executions/${execution.id}/save-as-test`, { name: 'Gone' })
  expect(again.body.code).toBe('workflows.test_exists')
  expect((await post(`/executions/${execution.id}/save-as-test`, { name: 'Gone', replace: true })).status).toBe(201)
  expect((await draftOf(id)).tests).toHaveLength(1)
})

test('neither a credential nor an address at which an execution goes on gets into a test', async () => {
  const token = 'tok_1234567890_abcdefghijklmnop'
  const integration = await anna.call('POST', '/api/v1/users/integrations', {
    body: { type: 'http', name: 'Shop', config: { auth: 'bearer', base_url: url }, credentials: { token } },
  })
  expect(integration.status).toBe(201)
  const id = await publish(anna, {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: 'leaks' } },
      { id: 'fetch', type: 'http.request', config: { method: 'GET', url, integration_id: integration.body.id } },
      {
        id: 'where',
        type: 'data.set',
        config: { values: { url: 'Call {{ execution.resume_url }} please', got: '{{ steps.fetch.output.body }}' } },
      },
      { id: 'wait', type: 'flow.wait', config: { webhook: true } },
      { id: 'done', type: 'data.set', config: { values: { url: '{{ steps.where.output.url }}' } } },
    ],
    edges: [
      { from: 'hook', to: 'fetch' },
      { from: 'fetch', to: 'where' },
      { from: 'where', to: 'wait' },
      { from: 'wait', to: 'done' },
    ],
  })
  await mill.call('POST', '/hooks/anna/leaks', {
    body: { a: 1 },
    headers: { authorization: 'Bearer of-the-caller-1234', cookie: 'session=of-the-caller-1234', 'x-api-key': 'of-the-caller-1234' },
  })
  const waiting = async () => (await anna.call('GET', `/api/v1/workflows/${id}/executions`)).body.items[0]
  await expect.poll(async () => (await waiting())?.status, { timeout: 10_000 }).toBe('waiting')
  const { id: execution_id } = await waiting()
  const { steps } = (await anna.call('GET', `/api/v1/workflows/executions/${execution_id}?payloads=true`)).body
  const said = steps.find(({ node_id }: { node_id: string }) => node_id === 'where').output.url as string
  const address = /https?:\S+/.exec(said)?.[0] as string
  expect((await mill.call('POST', new URL(address).pathname, { body: { go: 'on' } })).status).toBe(200)
  await expect.poll(async () => (await waiting())?.status, { timeout: 10_000 }).toBe('succeeded')
  const saved = await post(`/executions/${execution_id}/save-as-test`, { name: 'No leaks' })
  expect(saved.status).toBe(201)
  const text = JSON.stringify(await draftOf(id))
  expect(text).toContain('[redacted]')
  for (const secret of [token, Buffer.from(token).toString('base64'), 'of-the-caller-1234', 'mlrw_']) expect(text).not.toContain(secret)
  expect((await post(`/${id}/tests/run`)).body).toMatchObject({ passed: 1, failed: 0 })
})

test('what cannot be replayed becomes no test, and nobody makes tests of what is not theirs', async () => {
  const id = await publish(anna, {
    nodes: [manual, { id: 'wait', type: 'flow.wait', config: { webhook: true } }],
    edges: [{ from: 'start', to: 'wait' }],
  })
  const { body: running } = await post(`/${id}/execute`, {})
  expect((await post(`/executions/${running.id}/save-as-test`, { name: 'x' })).body.code).toBe('workflows.not_replayable')
  await post(`/executions/${running.id}/cancel`)
  await expect
    .poll(async () => (await post(`/executions/${running.id}/save-as-test`, { name: 'x' })).body.detail, { timeout: 10_000 })
    .toBe('The execution is cancelled.')
  const stranger = await mill.register('stranger')
  const theirs = await stranger.call('POST', `/api/v1/workflows/executions/${running.id}/save-as-test`, { body: { name: 'x' } })
  expect(theirs.body.code).toBe('workflows.execution_not_found')
  expect((await stranger.call('POST', `/api/v1/workflows/${id}/tests/run`, { body: {} })).body.code).toBe('workflows.not_found')
  expect((await post(`/${id}/tests/run`, { names: ['nope'] })).body).toMatchObject({ status: 422, errors: [{ path: 'names.0' }] })
})

test('a test with mistakes is named with its place, and what has mistakes is not run', async () => {
  const { id } = await create(anna, {
    nodes: [manual],
    edges: [],
    tests: [{ name: 'x', trigger: { node_id: 'nope', payload: {} }, expect: { status: 'succeeded' } }],
  })
  expect((await post(`/${id}/check`)).body.problems).toMatchObject([{ path: '/tests/0/trigger/node_id' }])
  expect((await post(`/${id}/tests/run`)).body.code).toBe('workflows.not_publishable')
})
