import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scenario } from '../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../test-app.ts'
import { manual, publish, requestDefinition, webhookDefinition } from './definitions.testing.ts'

let mill: TestApp
let anna: TestUser
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
})
afterAll(async () => {
  for (const close of closing) await close()
  await mill.close()
})

const execute = (id: string, body: object = {}, headers: { [name: string]: string } = {}) =>
  anna.call('POST', `/api/v1/workflows/${id}/execute`, { body, headers })
const read = (id: string, query = '') => anna.call('GET', `/api/v1/workflows/executions/${id}${query}`)

/** A server that holds every request until it is told to answer. */
const holding = async () => {
  let calls = 0
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    calls += 1
    reach()
    request.resume()
    void released.then(() => response.end('done'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, reached, release, calls: () => calls }
}

const double = {
  nodes: [manual, { id: 'double', type: 'data.set', config: { values: { n: '{{ trigger.n * 2 }}' } } }],
  edges: [{ from: 'start', to: 'double' }],
}

test('a workflow that is started by hand gives its execution, and its output when it ends in time', async () => {
  const id = await publish(anna, double)
  const { body } = await scenario(mill, {
    when: () => execute(id, { input: { n: 21 }, wait_ms: 5_000 }),
    status: 200,
    body: {
      workflow_id: id,
      version: 1,
      status: 'succeeded',
      mode: 'live',
      trigger: { type: 'trigger.manual', node_id: 'start' },
      input: { n: 21 },
      output: { n: 42 },
      error: null,
    },
    events: ['workflows.execution.succeeded'],
  })
  expect(body).not.toHaveProperty('steps')
  expect(body.duration_ms).toBe(Date.parse(body.finished_at) - Date.parse(body.started_at))
  expect((await read(body.id)).body).toMatchObject({
    ...body,
    steps: [{ node_id: 'double', path: 'double', attempt: 1, status: 'succeeded' }],
  })
  expect((await read(body.id)).body.steps[0]).not.toHaveProperty('output')
  expect((await read(body.id, '?payloads=true')).body.steps[0]).toMatchObject({ input: { n: 21 }, output: { n: 42 }, error: null })
})

test('without a time to wait the answer is 202, and the execution is there to be read', async () => {
  const { url, release } = await holding()
  const id = await publish(anna, requestDefinition(manual, url))
  const { status, body } = await execute(id)
  expect([status, body.status, body.input, body.output, body.finished_at, body.duration_ms]).toEqual([202, 'running', {}, null, null, null])
  expect((await execute(id, { wait_ms: 50 })).status).toBe(202)
  release()
  await expect.poll(async () => (await read(body.id)).body.status).toBe('succeeded')
})

test('whoever does not ask to wait is answered 202 also by a workflow that has ended already', async () => {
  const id = await publish(anna, double)
  for (const body of [{ input: { n: 1 } }, { input: { n: 1 }, wait_ms: 0 }]) {
    const { status, body: started, headers } = await execute(id, body)
    expect([status, headers.get('location')]).toEqual([202, `/api/v1/workflows/executions/${started.id}`])
  }
})

test.each<[unknown]>([[null], [false], [0], [''], [[1]], ['text']])('an input of %j is the payload as it is', async (input) => {
  const id = await publish(anna, {
    nodes: [manual, { id: 'set', type: 'data.set', config: { values: { got: '{{ trigger }}' } } }],
    edges: [{ from: 'start', to: 'set' }],
  })
  expect((await execute(id, { input, wait_ms: 5_000 })).body).toMatchObject({ input, output: { got: input } })
})

test('an execution has an ETag that changes with it, and is cancelled only as it was last read', async () => {
  const { url, reached, release } = await holding()
  const id = await publish(anna, requestDefinition(manual, url))
  const path = `/api/v1/workflows/executions/${(await execute(id)).body.id}`
  await reached
  const running = (await anna.call('GET', path)).headers.get('etag') as string
  const cancel = () => anna.call('POST', `${path}/cancel`, { headers: { 'if-match': running } })
  expect((await anna.call('GET', path, { headers: { 'if-none-match': running } })).status).toBe(304)
  release()
  await expect.poll(async () => (await anna.call('GET', path)).body.status).toBe('succeeded')
  expect((await anna.call('GET', path, { headers: { 'if-none-match': running } })).status).toBe(200)
  expect(await cancel()).toMatchObject({ status: 412, body: { code: 'http.precondition_failed' } })
})

test('a failed execution says where and why', async () => {
  const id = await publish(anna, {
    ...double,
    nodes: [manual, { id: 'double', type: 'data.set', config: { values: { n: '{{ trigger.missing * 2 }}' } } }],
  })
  const { status, body } = await execute(id, { input: {}, wait_ms: 5_000 })
  expect([status, body.status, body.output, body.error.node_id]).toEqual([200, 'failed', null, 'double'])
  expect(body.error.code).toMatch(/^expression\./)
})

test('a workflow without a manual trigger starts at its first one, with the input as its payload', async () => {
  const id = await publish(anna, webhookDefinition('by-hand'))
  const { body } = await execute(id, { input: { body: 'by hand' }, wait_ms: 5_000 })
  expect(body).toMatchObject({ trigger: { type: 'trigger.webhook', node_id: 'hook' }, output: { got: 'by hand' } })
})

test('a workflow whose triggers are all disabled is started by nothing', async () => {
  const id = await publish(anna, { ...double, nodes: [{ ...manual, disabled: true }, double.nodes[1]] })
  await scenario(mill, { when: () => execute(id), status: 409, body: { code: 'workflows.no_trigger' }, events: [] })
})

test.each<[string, object]>([
  ['a time to wait that is too long', { wait_ms: 60_001 }],
  ['a field that is not known', { inputs: {} }],
])('%s is refused and starts nothing', async (_, body) => {
  const id = await publish(anna, double)
  await scenario(mill, { when: () => execute(id, body), status: 422, events: [] })
  expect((await anna.call('GET', `/api/v1/workflows/${id}/executions`)).body.items).toEqual([])
})

test('one Idempotency-Key starts one execution', async () => {
  const { url, calls, release } = await holding()
  release()
  const id = await publish(anna, requestDefinition(manual, url))
  const first = await execute(id, { wait_ms: 5_000 }, { 'idempotency-key': '"start-once"' })
  const again = await execute(id, { wait_ms: 5_000 }, { 'idempotency-key': '"start-once"' })
  expect([first.status, again.status, again.body.id, calls()]).toEqual([200, 200, first.body.id, 1])
  expect((await execute(id, { input: 1 }, { 'idempotency-key': '"start-once"' })).body.code).toBe('http.idempotency_mismatch')
})

test('an execution is cancelled while it runs, and only then', async () => {
  const { url, reached } = await holding()
  const id = await publish(anna, requestDefinition(manual, url))
  const { body: started } = await execute(id)
  await reached
  const cancel = () => anna.call('POST', `/api/v1/workflows/executions/${started.id}/cancel`)
  expect((await cancel()).status).toBe(200)
  await expect.poll(async () => (await read(started.id)).body.status).toBe('cancelled')
  expect(await cancel()).toMatchObject({ status: 409, body: { code: 'workflows.execution_ended' } })
  const { body } = await execute(await publish(anna, double), { input: { n: 1 }, wait_ms: 5_000 })
  expect((await anna.call('POST', `/api/v1/workflows/executions/${body.id}/cancel`)).status).toBe(409)
})

test('executions are listed newest first, filtered and paged', async () => {
  const clara = await mill.register('clara')
  const run = (id: string, input: object) => clara.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input, wait_ms: 5_000 } })
  const one = await publish(clara, double)
  const two = await publish(clara, webhookDefinition('listed'))
  const ids: string[] = []
  for (const [id, input] of [
    [one, { n: 1 }],
    [one, {}],
    [two, { body: 1 }],
    [one, { n: 2 }],
  ] as const)
    ids.push((await run(id, input)).body.id)
  await mill.call('POST', '/hooks/clara/listed')
  const list = async (query: string, path = '/executions') => (await clara.call('GET', `/api/v1/workflows${path}?${query}`)).body
  const found = async (query: string, path?: string) => (await list(query, path)).items.map(({ id }: { id: string }) => ids.indexOf(id))
  expect(await found('')).toEqual([-1, 3, 2, 1, 0])
  expect(await found('order=asc&limit=4')).toEqual([0, 1, 2, 3])
  expect(await found('', `/${one}/executions`)).toEqual([3, 1, 0])
  expect(await found('status=failed')).toEqual([1])
  expect(await found('trigger=trigger.manual&status=succeeded')).toEqual([3, 0])
  expect(await found('trigger=webhook')).toEqual([-1, 2])
  expect(await found('from=2020-01-01&to=2020-01-02')).toEqual([])
  expect(await found('from=2020-01-01&to=2200-01-01&order=asc&limit=2')).toEqual([0, 1])
  expect(await found('version=2')).toEqual([])
  expect(await found('version=1', `/${two}/executions`)).toEqual([-1, 2])
  const third = (await list('')).items[2]
  expect(await found(`to=${third.started_at}&order=asc`)).toEqual([0, 1])
  expect(await found(`from=${encodeURIComponent(third.started_at.replace('Z', '+00:00'))}`)).toEqual([-1, 3, 2])
  const page = await list('limit=2&total=true')
  expect([page.items.length, page.total]).toEqual([2, 5])
  expect((await list(`limit=2&cursor=${page.next_cursor}`)).items.map(({ id }: { id: string }) => ids.indexOf(id))).toEqual([2, 1])
  for (const query of ['status=odd', 'from=yesterday', 'version=x', 'cursor=x'])
    expect([query, (await clara.call('GET', `/api/v1/workflows/executions?${query}`)).status]).toEqual([query, 422])
  expect((await clara.call('GET', '/api/v1/workflows/01a1f88e-0ce8-7005-b005-c97be10db905/executions')).body.code).toBe(
    'workflows.not_found',
  )
  expect((await clara.call('GET', `/api/v1/workflows/${one}`)).body.last_execution).toMatchObject({ id: ids[3], status: 'succeeded' })
})

test('a viewer of a workspace reads, and starts and changes nothing', async () => {
  const viewer = await mill.register('viewer')
  const id = await publish(anna, double)
  const { owner } = mill.database
  await owner`insert into workspace_members (workspace_id, user_id, role, created_at) values (${anna.workspace_id}, ${viewer.id}, 'viewer', now())`
  const { access_token } = (await mill.call('POST', '/api/v1/auth/login', { body: { email: viewer.email, password: viewer.password } }))
    .body
  const call = (method: string, path: string, body?: object) =>
    mill.as({ access_token })(method, `/api/v1/workflows${path}`, {
      ...(body && { body }),
      headers: { 'x-workspace-id': anna.workspace_id, 'if-match': '*' },
    })
  for (const path of ['', `/${id}`, `/${id}/versions`, `/${id}/executions`, '/executions'])
    expect((await call('GET', path)).status, path).toBe(200)
  const denied: [string, string, object?][] = [
    ['POST', '', { name: 'x', definition: double }],
    ['PUT', `/${id}`, { name: 'x' }],
    ['DELETE', `/${id}`],
    ['POST', `/${id}/publish`],
    ['POST', `/${id}/pause`],
    ['POST', `/${id}/execute`],
  ]
  for (const [method, path, body] of denied)
    expect(await call(method, path, body), path).toMatchObject({ status: 403, body: { code: 'http.forbidden' } })
})
