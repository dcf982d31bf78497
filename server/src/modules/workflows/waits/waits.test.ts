import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { deliver } from '../../../engine/waits/waits.ts'
import type { JsonObject } from '../../../lib/json.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { manual, publish } from '../definitions.testing.ts'

let mill: TestApp
let beside: TestApp
let anna: TestUser
const requests: { body: string; respond: () => void }[] = []
const outside = createServer((request: IncomingMessage, response) => {
  let body = ''
  request.on('data', (part: Buffer) => (body += String(part)))
  request.on('end', () => requests.push({ body, respond: () => response.end('{}') }))
})
let url: string

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
  beside = await testApp({ beside: mill, env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}/`
})
afterAll(async () => {
  await beside.close()
  await mill.close()
  outside.closeAllConnections()
  outside.close()
})

/** Says where it is to be called, waits, and tells what came. */
const waiting = (config: JsonObject = { webhook: true }) => ({
  nodes: [
    manual,
    { id: 'where', type: 'data.set', config: { values: { url: '{{ execution.resume_url }}' } } },
    { id: 'wait', type: 'flow.wait', config },
    { id: 'after', type: 'data.set', config: { values: { came: '{{ steps.wait.output.body }}' } } },
  ],
  edges: [
    { from: 'start', to: 'where' },
    { from: 'where', to: 'wait' },
    { from: 'wait', to: 'after' },
  ],
})

const execute = async (workflow_id: string, body: object = {}): Promise<string> => {
  const { status, body: execution } = await anna.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body })
  expect([200, 202]).toContain(status)
  return execution.id
}
const executionOf = async (id: string) => (await anna.call('GET', `/api/v1/workflows/executions/${id}?payloads=true`)).body
const reaches = (id: string, status: string) =>
  vi.waitFor(async () => expect(await executionOf(id)).toMatchObject({ status }), { timeout: 10_000, interval: 50 })

/** Where an execution that waits is called: the path, whichever process it is sent to. */
const addressOf = async (id: string): Promise<string> => {
  const { steps } = await executionOf(id)
  const step = steps.find(({ node_id }: { node_id: string }) => node_id === 'where')
  return new URL(step.output.url).pathname
}

test('an execution waits for a call, held by nobody, and goes on with what came', async () => {
  const id = await execute(await publish(anna, waiting()))
  await reaches(id, 'waiting')
  const [row] = await mill.database.owner`select worker_id from executions where id = ${id}`
  expect(row).toMatchObject({ worker_id: null })
  const resumed = await beside.call('POST', await addressOf(id), { body: { answer: 42 } })
  expect([resumed.status, resumed.body]).toEqual([200, { execution_id: id, node_id: 'wait' }])
  await reaches(id, 'succeeded')
  expect((await executionOf(id)).output).toEqual({ came: { answer: 42 } })
})

test('of fifty calls at once, to two processes, one counts', async () => {
  const id = await execute(await publish(anna, waiting()))
  await reaches(id, 'waiting')
  const address = await addressOf(id)
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? mill : beside).call('POST', address, { body: { n } })),
  )
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(replies.filter(({ status, body }) => status === 409 && body.code === 'workflows.not_waiting')).toHaveLength(49)
  await reaches(id, 'succeeded')
  expect((await executionOf(id)).output).toEqual({ came: { n: replies.findIndex(({ status }) => status === 200) } })
  expect((await mill.call('POST', address, { body: {} })).status).toBe(409)
})

test('an address that nobody was given leads nowhere, and none is shown where a refusal is', async () => {
  const id = await execute(await publish(anna, waiting()))
  await reaches(id, 'waiting')
  const address = await addressOf(id)
  const other = address.slice(0, -1) + (address.endsWith('A') ? 'B' : 'A')
  for (const wrong of [other, '/resume/x', `${address}/x`, address.replace('mlrw', 'mlr')])
    expect((await mill.call('POST', wrong)).status).toBe(404)
  expect((await mill.call('GET', address)).status).toBe(405)
  const refused = await mill.call('POST', `${address}?node=after`, { body: {} })
  expect([refused.status, JSON.stringify(refused.body).includes(address.slice(8))]).toEqual([409, false])
  expect((await mill.call('POST', `${address}?node=wait`, { body: {} })).status).toBe(200)
  await reaches(id, 'succeeded')
})

test('nobody calls in time: the step fails with its own code', async () => {
  const id = await execute(await publish(anna, waiting({ webhook: true, timeout_ms: 1_000 })))
  await reaches(id, 'failed')
  expect(await executionOf(id)).toMatchObject({ error: { code: 'wait.timed_out', node_id: 'wait' } })
  expect((await mill.call('POST', await addressOf(id), { body: {} })).status).toBe(409)
})

test('an execution that was cancelled takes no call', async () => {
  const id = await execute(await publish(anna, waiting()))
  await reaches(id, 'waiting')
  expect((await anna.call('POST', `/api/v1/workflows/executions/${id}/cancel`)).status).toBe(200)
  await reaches(id, 'cancelled')
  expect((await mill.call('POST', await addressOf(id), { body: {} })).status).toBe(409)
})

test('what comes while another branch is at work is brought when that has ended, once', async () => {
  const definition = waiting()
  const both = {
    nodes: [...definition.nodes, { id: 'slow', type: 'http.request', config: { method: 'POST', url, body: '{{ execution.resume_url }}' } }],
    edges: [...definition.edges, { from: 'start', to: 'slow' }],
  }
  const id = await execute(await publish(anna, both))
  await vi.waitFor(() => expect(requests).toHaveLength(1))
  const { pathname } = new URL(requests[0]?.body ?? '')
  await vi.waitFor(async () => expect((await mill.call('POST', pathname, { body: { early: true } })).status).toBe(200))
  expect(await executionOf(id)).toMatchObject({ status: 'running' })
  requests[0]?.respond()
  await reaches(id, 'succeeded')
  const { steps } = await executionOf(id)
  const after = steps.filter(({ node_id }: { node_id: string }) => node_id === 'after')
  expect(after).toMatchObject([{ output: { came: { early: true } } }])
})

test('a process that dies between taking a call and bringing it loses nothing', async () => {
  const id = await execute(await publish(anna, waiting()))
  await reaches(id, 'waiting')
  // As far as it had come: the call was taken and answered.
  await mill.database.owner`
    update engine_waits
    set settled_at = now(), output = '{"body": "taken"}'::json
    where execution_id = ${id}`
  await reaches(id, 'succeeded')
  expect((await executionOf(id)).output).toEqual({ came: 'taken' })
  expect(await deliver(mill.app.database.system, id, mill.app.now())).toBe(false)
})

test('a wait of some time, and until a time, gives what came in', async () => {
  const after = (config: JsonObject) => ({
    nodes: [manual, { id: 'wait', type: 'flow.wait', config }],
    edges: [{ from: 'start', to: 'wait' }],
  })
  for (const config of [{ for_ms: 300 }, { until: '{{ trigger.at }}' }, { until: '2000-01-01T00:00:00Z' }, { for_ms: 0 }]) {
    const workflow_id = await publish(anna, after(config))
    const at = new Date(Date.now() + 300).toISOString()
    const began = Date.now()
    const { status, body } = await anna.call('POST', `/api/v1/workflows/${workflow_id}/execute`, {
      body: { input: { at }, wait_ms: 10_000 },
    })
    expect([status, body.status, body.output]).toEqual([200, 'succeeded', { at }])
    if (config.for_ms === 300) expect(Date.now() - began).toBeGreaterThanOrEqual(300)
  }
  const wrong = await anna.call('POST', `/api/v1/workflows/${await publish(anna, after({ until: '{{ "tomorrow" }}' }))}/execute`, {
    body: { wait_ms: 10_000 },
  })
  expect(wrong.body).toMatchObject({ status: 'failed', error: { code: 'wait.wrong' } })
})
