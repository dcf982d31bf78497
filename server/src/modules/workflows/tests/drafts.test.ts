import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { engine } from '../../../engine/engine.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { checkFor } from '../../plans/plans.ts'
import { create, manual, publish } from '../definitions.testing.ts'
import { executions } from '../statistics.ts'

let mill: TestApp
let anna: TestUser
let asked = 0
const outside = createServer((_, response) => {
  asked += 1
  response.setHeader('content-type', 'application/json').end('{"real":true}')
})
let url: string

const env = { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' }

beforeAll(async () => {
  mill = await testApp({ env })
  anna = await mill.register('anna')
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}/`
})
afterAll(async () => {
  await mill.close()
  outside.closeAllConnections()
  outside.close()
})

const testRun = (id: string, body: object = {}) => anna.call('POST', `/api/v1/workflows/${id}/test`, { body: { wait_ms: 10_000, ...body } })
const executionOf = async (id: string) => (await anna.call('GET', `/api/v1/workflows/executions/${id}?payloads=true`)).body

const fetching = (more: object = {}) => ({
  nodes: [
    manual,
    {
      id: 'fetch',
      type: 'http.request',
      config: { method: 'POST', url, headers: { authorization: 'Bearer {{ trigger.key }}' }, body: '{{ trigger.id }}' },
    },
    { id: 'after', type: 'data.set', config: { values: { got: '{{ steps.fetch.output.body }}' } } },
    { id: 'later', type: 'data.set', config: { values: { later: true } } },
  ],
  edges: [
    { from: 'start', to: 'fetch' },
    { from: 'fetch', to: 'after' },
    { from: 'after', to: 'later' },
  ],
  ...more,
})

test('the draft is run without being published, and is an execution like others', async () => {
  const { id } = await create(anna, fetching())
  const before = asked
  const { body } = await scenario(mill, {
    when: () => testRun(id, { input: { id: 7, key: 'k' } }),
    status: 200,
    body: { workflow_id: id, version: 0, mode: 'test', status: 'succeeded', input: { id: 7, key: 'k' }, output: { later: true } },
    events: ['workflows.execution.succeeded'],
  })
  expect(asked).toBe(before + 1)
  expect(body.test).toEqual({ dry_run: false, until_node: null, pinned: [] })
  expect(body.steps.map(({ node_id }: { node_id: string }) => node_id)).toEqual(['fetch', 'after', 'later'])
  expect(body.steps[1]).toMatchObject({ output: { got: { real: true } }, input: { status: 200 } })
  const listed = await anna.call('GET', `/api/v1/workflows/${id}/executions`)
  expect(listed.body.items).toMatchObject([{ id: body.id, mode: 'test', version: 0 }])
  expect((await anna.call('GET', `/api/v1/workflows/${id}`)).body).toMatchObject({ status: 'draft', version: null })
})

test('pins and replies stand in for nodes; those of the call come before those of the draft', async () => {
  const before = asked
  const { id } = await create(anna, fetching({ pins: { fetch: { body: 'of the draft' }, start: { id: 1, key: 'pinned' } } }))
  const pinned = await testRun(id, { until_node: 'after' })
  expect(pinned.body).toMatchObject({
    input: { id: 1 },
    output: { got: 'of the draft' },
    test: { until_node: 'after', pinned: ['fetch', 'start'] },
  })
  expect(pinned.body.steps).toHaveLength(2)
  expect((await testRun(id, { until_node: 'after', pins: { fetch: { body: 'of the call' } } })).body.output).toEqual({ got: 'of the call' })
  const other = await create(anna, fetching())
  const answered = await testRun(other.id, {
    input: { id: 1, key: '' },
    until_node: 'after',
    replies: { fetch: { output: { body: 'a reply' } } },
  })
  expect(answered.body.output).toEqual({ got: 'a reply' })
  expect(asked).toBe(before)
})

test('what is published has no pins', async () => {
  const before = asked
  const id = await publish(anna, fetching({ pins: { fetch: { body: 'pinned' } } }))
  const { body } = await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input: { id: 1, key: '' }, wait_ms: 10_000 } })
  expect(body.status).toBe('succeeded')
  expect(asked).toBe(before + 1)
})

test('a dry run computes, does nothing, waits for nobody, and says what it would have done without credentials', async () => {
  const before = asked
  const { id } = await create(anna, {
    nodes: [
      manual,
      { id: 'wait', type: 'flow.wait', config: { for_ms: 86_400_000 } },
      { id: 'ask', type: 'flow.approval', config: { approvers: [anna.email], message: 'Pay {{ trigger.amount }}?' } },
      { id: 'code', type: 'data.code', config: { source: 'export default (input, { trigger }) => ({ double: trigger.amount * 2 })' } },
      {
        id: 'pay',
        type: 'http.request',
        config: {
          method: 'POST',
          url,
          headers: { authorization: 'Bearer {{ trigger.key }}' },
          body: { sum: '{{ steps.code.output.double }}' },
        },
      },
    ],
    edges: [
      { from: 'start', to: 'wait' },
      { from: 'wait', to: 'ask' },
      { from: 'ask', port: 'approved', to: 'code' },
      { from: 'code', to: 'pay' },
    ],
  })
  const { body } = await testRun(id, { input: { amount: 21, key: 'very-secret-key' }, dry_run: true })
  expect(body).toMatchObject({ status: 'succeeded', test: { dry_run: true }, output: { status: 200, body: null } })
  const dry = Object.fromEntries(body.steps.map((step: { node_id: string; dry?: object }) => [step.node_id, step.dry]))
  expect(dry).toMatchObject({
    wait: { type: 'flow.wait', config: { for_ms: 86_400_000 } },
    ask: { type: 'flow.approval', config: { message: 'Pay 21?' } },
    pay: { type: 'http.request', config: { method: 'POST', url, body: { sum: 42 }, headers: { authorization: '[redacted]' } } },
  })
  expect(dry['code']).toBeUndefined()
  expect(asked).toBe(before)
  expect(await mill.database.owner`select 1 from workflow_approvals where execution_id = ${body.id}`).toHaveLength(0)
})

test('a pin stands in for a loop, for a node within one, and for what decides a branch', async () => {
  const body = { nodes: [{ id: 'inner', type: 'http.request', config: { method: 'GET', url } }], edges: [] }
  const { id } = await create(anna, {
    nodes: [
      manual,
      { id: 'which', type: 'flow.if', config: { condition: 'false' } },
      { id: 'each', type: 'flow.loop', config: { items: [1, 2], body } },
    ],
    edges: [
      { from: 'start', to: 'which' },
      { from: 'which', port: 'true', to: 'each' },
    ],
  })
  const inner = await testRun(id, { pins: { which: 'went', inner: 'pinned' } })
  expect(inner.body).toMatchObject({ status: 'succeeded', output: { items: ['pinned', 'pinned'] } })
  const whole = await testRun(id, { pins: { which: null, each: { items: ['whole'] } } })
  expect(whole.body).toMatchObject({ status: 'succeeded', output: { items: ['whole'] } })
})

test('a run of the draft goes on as it began, in another process, after the draft was changed and the first process has gone', async () => {
  const beside = await testApp({ beside: mill, env })
  const definition = {
    nodes: [
      manual,
      { id: 'wait', type: 'flow.wait', config: { webhook: true } },
      { id: 'then', type: 'data.set', config: { values: { draft: 'first' } } },
    ],
    edges: [
      { from: 'start', to: 'wait' },
      { from: 'wait', to: 'then' },
    ],
  }
  const { id } = await create(anna, { ...definition, pins: { then: 'pinned' } })
  const { body } = await beside.as(anna)('POST', `/api/v1/workflows/${id}/test`, { body: {} })
  expect(body).toMatchObject({ mode: 'test', finished_at: null })
  await vi.waitFor(async () => expect((await executionOf(body.id)).status).toBe('waiting'), { timeout: 10_000 })
  await beside.close()
  const change = await anna.call('PUT', `/api/v1/workflows/${id}`, {
    body: { definition: { nodes: [manual], edges: [] } },
    headers: { 'if-match': '*' },
  })
  expect(change.status).toBe(200)
  await mill.app.use(engine).resume({ execution_id: body.id, node_id: 'wait', output: null })
  await vi.waitFor(async () => expect(await executionOf(body.id)).toMatchObject({ status: 'succeeded', output: 'pinned' }), {
    timeout: 10_000,
  })
})

test('a draft with mistakes is not run, and what is asked for must be there', async () => {
  const broken = await create(anna, { nodes: [manual, { id: 'x', type: 'nope' }], edges: [] })
  const { body } = await testRun(broken.id)
  expect(body).toMatchObject({ code: 'workflows.not_publishable', problems: [{ path: '/nodes/1/type' }] })
  const { id } = await create(anna, fetching())
  const cases: readonly (readonly [object, string])[] = [
    [{ pins: { nope: 1 } }, 'pins.nope'],
    [{ replies: { nope: { output: 1 } } }, 'replies.nope'],
    [{ until_node: 'nope' }, 'until_node'],
    [{ trigger_node_id: 'fetch' }, 'trigger_node_id'],
  ]
  for (const [wrong, path] of cases) expect((await testRun(id, wrong)).body).toMatchObject({ status: 422, errors: [{ path }] })
  const stranger = await mill.register('stranger')
  expect((await stranger.call('POST', `/api/v1/workflows/${id}/test`, { body: {} })).status).toBe(404)
})

test('what fails in a test starts no workflow that waits for failures, and counts as no execution in figures', async () => {
  const handler = await publish(anna, { nodes: [{ id: 'failed', type: 'trigger.failure' }], edges: [] })
  const failing = {
    nodes: [manual, { id: 'stop', type: 'flow.stop', config: { status: 'failed', message: 'No' } }],
    edges: [{ from: 'start', to: 'stop' }],
  }
  const id = await publish(anna, failing)
  const counted = () => executions.ofUser?.(mill.app.asSystem('a test counts'), anna.id)
  const before = await counted()
  expect((await testRun(id)).body.status).toBe('failed')
  expect(await counted()).toEqual(before)
  await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { wait_ms: 5_000 } })
  const handled = async () => (await anna.call('GET', `/api/v1/workflows/${handler}/executions`)).body.items
  await vi.waitFor(async () => expect(await handled()).toHaveLength(1), { timeout: 10_000 })
})

test('a run of the draft counts in the plan, and running tests does not', async () => {
  const small = await testApp({ env: { MILLRACE_DEFAULT_PLAN: 'free' } })
  try {
    const ben = await small.register('ben')
    const { id } = await create(ben, { nodes: [manual], edges: [] })
    await checkFor(small.app, ben.workspace_id, { feature: 'executions', amount: 999 })
    const post = (path: string) => ben.call('POST', `/api/v1/workflows/${id}/${path}`, { body: {} })
    expect((await post('test')).status).toBe(202)
    expect((await post('test')).body.code).toBe('plans.limit_reached')
    expect((await post('tests/run')).status).toBe(200)
  } finally {
    await small.close()
  }
})

test('a run of the draft that a process has left behind when it died is gone on with, though the draft is another one by now', async () => {
  const set = (value: string) => ({
    nodes: [manual, { id: 'set', type: 'data.set', config: { values: { value } } }],
    edges: [{ from: 'start', to: 'set' }],
  })
  const { id } = await create(anna, set('then'))
  const { body } = await testRun(id, { pins: { set: 'pinned' } })
  await anna.call('PUT', `/api/v1/workflows/${id}`, { body: { definition: set('now') }, headers: { 'if-match': '*' } })
  // As a process leaves it that has accepted it and is no more: held by somebody whose heart does not beat.
  const [dead, left] = [mill.app.newId(), mill.app.newId()]
  await mill.database.owner`
    insert into engine_workers (id, epoch, state, heartbeat_at)
    values (${dead}, 1, 'alive', now() - interval '1 minute')`
  await mill.database.owner.begin(async (tx) => {
    await tx`
      insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, worker_id, started_at)
      select ${left}, workspace_id, workflow_id, version, mode, 'running', trigger_type, trigger_node_id, ${dead}, now()
      from executions
      where id = ${body.id}`
    await tx`
      insert into execution_records (execution_id, seq, workspace_id, body)
      select ${left}, 0, workspace_id, json_build_object('at', body->'at', 'trigger', body->'trigger', 'draft', body->'draft', 'steps', '[]'::json)
      from execution_records
      where execution_id = ${body.id} and seq = 0`
  })
  await vi.waitFor(async () => expect(await executionOf(left)).toMatchObject({ status: 'succeeded', mode: 'test', output: 'pinned' }), {
    timeout: 20_000,
  })
})
