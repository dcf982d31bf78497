import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { create, manual, publish, webhookDefinition } from '../definitions.testing.ts'

let mill: TestApp
let beside: TestApp
let anna: TestUser
/** Calls that wait for an answer, by what they carry. */
const calls = new Map<string, () => void>()
const server = createServer((request, response) => {
  const name = (request.url ?? '').slice(1)
  calls.set(name, () => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ name })))
})

beforeAll(async () => {
  const env = { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1', MILLRACE_HOOK_WAIT_MS: '600' }
  mill = await testApp({ env })
  beside = await testApp({ env, beside: mill })
  anna = await mill.register('anna')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await beside.close()
  await mill.close()
})

const patient = { timeout: 15_000, interval: 20 }

/** A step that lasts until the call `{{ name }}` is answered. */
const lasting = (settings: object, trigger: object = manual, name = '{{ trigger.name }}') => ({
  nodes: [
    trigger,
    {
      id: 'call',
      type: 'http.request',
      config: { method: 'GET', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}` },
    },
    { id: 'said', type: 'data.set', config: { values: { name: '{{ steps.call.output.body.name }}' } } },
  ],
  edges: [
    { from: (trigger as { id: string }).id, to: 'call' },
    { from: 'call', to: 'said' },
  ],
  settings,
})

const begin = async (id: string, name: string, more: object = {}): Promise<string> => {
  const reply = await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input: { name }, ...more } })
  expect(reply.status).toBe(202)
  return reply.body.id
}
const view = async (id: string) => (await anna.call('GET', `/api/v1/workflows/executions/${id}`)).body
const answered = async (name: string): Promise<void> => {
  await expect.poll(() => calls.has(name), patient).toBe(true)
  calls.get(name)?.()
  calls.delete(name)
}
const succeeds = (id: string) => expect.poll(async () => (await view(id)).status, patient).toBe('succeeded')

test('what is queued says where it stands and what for, and the workflow how many there are', async () => {
  const id = await publish(anna, lasting({ concurrency: { limit: 1, key: 'trigger.name.split("-")[0]' } }))
  const [first, second, third] = [await begin(id, 'a-1'), await begin(id, 'a-2'), await begin(id, 'a-3', { priority: 7 })]
  await expect.poll(() => calls.has('a-1'), patient).toBe(true)
  expect((await view(first)).queue).toBeNull()
  expect(await view(third)).toMatchObject({ status: 'queued', queue: { position: 1, reason: 'concurrency', key: 'a' } })
  expect(await view(second)).toMatchObject({ status: 'queued', queue: { position: 2, reason: 'concurrency', key: 'a' } })
  const workflow = await anna.call('GET', `/api/v1/workflows/${id}`)
  expect(workflow.body.queue).toEqual({ queued: 2, running: 1 })
  await answered('a-1')
  await answered('a-3')
  await answered('a-2')
  await succeeds(second)
  const after = await anna.call('GET', `/api/v1/workflows/${id}`)
  expect(after.body.queue).toEqual({ queued: 0, running: 0 })
})

test('what a rate holds up says so', async () => {
  const definition = { nodes: [manual], edges: [], settings: { rate_limit: { limit: 1, per_ms: 3_600_000 } } }
  const id = await publish(anna, definition)
  const first = await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { wait_ms: 10_000 } })
  expect(first).toMatchObject({ status: 200, body: { status: 'succeeded' } })
  const second = await begin(id, 'later')
  expect(await view(second)).toMatchObject({ status: 'queued', queue: { position: 1, reason: 'rate_limit' } })
  const cancelled = await anna.call('POST', `/api/v1/workflows/executions/${second}/cancel`)
  expect(cancelled.status).toBe(200)
  await expect.poll(async () => (await view(second)).status, patient).toBe('cancelled')
})

test('a webhook that answers with the last output answers 202 when it is queued for too long, and with the output when it is in time', async () => {
  const hook = { id: 'hook', type: 'trigger.webhook', config: { path: 'queued', respond: 'last_node' } }
  await publish(anna, lasting({ concurrency: 1 }, hook, '{{ trigger.query.name }}'))
  const call = (name: string, on: TestApp = mill) => on.call('POST', `/hooks/anna/queued?name=${name}`)
  const first = call('one')
  await expect.poll(() => calls.has('one'), patient).toBe(true)
  const late = await call('two')
  expect(late).toMatchObject({ status: 202, body: { execution_id: expect.any(String) } })
  expect((await first).status).toBe(202)
  await answered('one')
  await answered('two')
  await succeeds(late.body.execution_id)

  const before = call('three')
  await expect.poll(() => calls.has('three'), patient).toBe(true)
  const queued = call('four', beside)
  await expect
    .poll(async () => (await mill.database.owner`select 1 from executions where status = 'queued' and line = ''`).length, patient)
    .toBe(1)
  await answered('three')
  await answered('four')
  expect(await before).toMatchObject({ status: 200, body: { name: 'three' } })
  expect(await queued).toMatchObject({ status: 200, body: { name: 'four' } })
})

test('one that is tried again or goes on after a pause stands in line again', async () => {
  const id = await publish(anna, lasting({ concurrency: 1 }))
  const [first, second] = [await begin(id, 'p1'), await begin(id, 'p2')]
  await expect.poll(() => calls.has('p1'), patient).toBe(true)
  expect((await anna.call('POST', `/api/v1/workflows/executions/${first}/cancel`)).status).toBe(200)
  await expect.poll(() => calls.has('p2'), patient).toBe(true)

  const retried = await anna.call('POST', `/api/v1/workflows/executions/${first}/retry`)
  expect(retried.status).toBe(200)
  expect(await view(first)).toMatchObject({ status: 'queued', queue: { position: 1, reason: 'concurrency' } })

  // Who rests in line stands in none, and has its old place when it goes on.
  const third = await begin(id, 'p3')
  expect((await anna.call('POST', `/api/v1/workflows/executions/${first}/pause`)).status).toBe(200)
  expect(await view(third)).toMatchObject({ queue: { position: 1 } })
  expect((await anna.call('POST', `/api/v1/workflows/executions/${first}/resume`)).status).toBe(200)
  expect(await view(first)).toMatchObject({ status: 'queued', queue: { position: 1 } })

  // Who rests while it runs gives its slot to the next.
  expect((await anna.call('POST', `/api/v1/workflows/executions/${second}/pause`)).status).toBe(200)
  calls.delete('p1')
  await answered('p2')
  await expect.poll(() => calls.has('p1'), patient).toBe(true)
  expect((await anna.call('POST', `/api/v1/workflows/executions/${second}/resume`)).status).toBe(200)
  expect(await view(second)).toMatchObject({ status: 'queued', queue: { position: 1, reason: 'concurrency' } })
  await answered('p1')
  await succeeds(first)
  await succeeds(second)
  await answered('p3')
  await succeeds(third)
})

test('a new version with another limit counts for what is queued already', async () => {
  const { id } = await create(anna, lasting({ concurrency: 1 }))
  const post = (path: string, body: object = {}) => anna.call('POST', `/api/v1/workflows/${id}/${path}`, { body })
  expect((await post('publish')).status).toBe(201)
  const all = [await begin(id, 'v1'), await begin(id, 'v2'), await begin(id, 'v3')]
  await expect.poll(() => calls.has('v1'), patient).toBe(true)
  expect(calls.has('v2')).toBe(false)
  expect(
    (await anna.call('PUT', `/api/v1/workflows/${id}`, { body: { definition: lasting({}) }, headers: { 'if-match': '*' } })).status,
  ).toBe(200)
  expect((await post('publish')).status).toBe(201)
  for (const name of ['v3', 'v2', 'v1']) await answered(name)
  for (const execution of all) await succeeds(execution)
})

test('nobody in line is admitted while the workflow is paused', async () => {
  const id = await publish(anna, lasting({ concurrency: 1 }))
  const [first, second] = [await begin(id, 'w1'), await begin(id, 'w2')]
  await expect.poll(() => calls.has('w1'), patient).toBe(true)
  const change = (what: string) => anna.call('POST', `/api/v1/workflows/${id}/${what}`, { headers: { 'if-match': '*' } })
  expect((await change('pause')).status).toBe(200)
  await answered('w1')
  await succeeds(first)
  expect(await view(second)).toMatchObject({ status: 'queued', queue: { position: 1, reason: 'paused' } })
  expect((await change('resume')).status).toBe(200)
  await answered('w2')
  await succeeds(second)
})

test('a key that cannot be compiled is named with its place, and keeps a version from being published', async () => {
  const settings = { concurrency: { limit: 3, key: 'steps.set.output' } }
  const { id } = await create(anna, { ...webhookDefinition('never'), settings })
  const { body } = await anna.call('POST', `/api/v1/workflows/${id}/check`)
  expect(body.problems).toEqual([{ severity: 'error', path: '/settings/concurrency/key', message: expect.stringContaining('steps') }])
  expect((await anna.call('POST', `/api/v1/workflows/${id}/publish`)).status).toBe(422)
  const free = await publish(anna, { nodes: [manual], edges: [] })
  expect((await anna.call('POST', `/api/v1/workflows/${free}/execute`, { body: { priority: 101 } })).status).toBe(422)
})
