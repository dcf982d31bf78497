import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { publish, webhookDefinition } from '../definitions.testing.ts'

let mill: TestApp
let anna: TestUser
let ben: TestUser

beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
  ben = await mill.register('ben')
})
afterAll(() => mill.close())

const called = async (path: string): Promise<{ readonly workflow_id: string; readonly request_id: string }> => {
  const workflow_id = await publish(anna, webhookDefinition(path))
  const reply = await mill.call('POST', `/hooks/anna/${path}?a=1`, {
    body: { n: 1 },
    headers: { 'x-kept': 'yes', authorization: 'Bearer no' },
  })
  expect(reply.status).toBe(200)
  return { workflow_id, request_id: reply.headers.get('x-millrace-execution-id') as string }
}

const at = (workflow_id: string, rest = '') => `/api/v1/workflows/${workflow_id}/requests${rest}`

test('a call is listed, shown as it came without its credentials, and nobody else sees it', async () => {
  const { workflow_id, request_id } = await called('shown')
  const list = await anna.call('GET', at(workflow_id, '?total=true'))
  expect([list.status, list.body.total, list.body.items]).toMatchObject([
    200,
    1,
    [{ id: request_id, node_id: 'hook', status: 'succeeded' }],
  ])
  const { status, body } = await anna.call('GET', at(workflow_id, `/${request_id}`))
  expect([status, body]).toMatchObject([
    200,
    { id: request_id, method: 'POST', path: 'shown', query: { a: '1' }, body: { n: 1 }, headers: { 'x-kept': 'yes' }, replay_of: null },
  ])
  expect(body.headers.authorization).toBeUndefined()
  expect((await ben.call('GET', at(workflow_id, `/${request_id}`))).status).toBe(404)
  expect((await ben.call('POST', at(workflow_id, `/${request_id}/replay`))).status).toBe(404)
})

test('what was started by hand is no request', async () => {
  const { workflow_id } = await called('by-hand')
  const started = await anna.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: { wait_ms: 5_000 } })
  expect(started.status).toBe(200)
  const other = await called('another')
  expect((await anna.call('GET', at(workflow_id, `/${other.request_id}`))).body.code).toBe('workflows.request_not_found')
})

test('a replay runs what is published now, with what came then, and says of what it is one', async () => {
  const { workflow_id, request_id } = await called('again')
  const change = { definition: webhookDefinition('again', {}, { second: '{{ trigger.body.n }}', of: '{{ trigger.replay_of }}' }) }
  expect((await anna.call('PUT', `/api/v1/workflows/${workflow_id}`, { body: change, headers: { 'if-match': '*' } })).status).toBe(200)
  expect((await anna.call('POST', `/api/v1/workflows/${workflow_id}/publish`)).status).toBe(201)
  const replayed = await anna.call('POST', at(workflow_id, `/${request_id}/replay`))
  expect(replayed.status).toBe(202)
  await vi.waitFor(async () => {
    const { body } = await anna.call('GET', `/api/v1/workflows/executions/${replayed.body.id}`)
    expect(body).toMatchObject({ status: 'succeeded', version: 2, output: { second: 1, of: request_id } })
  })
  expect((await anna.call('GET', at(workflow_id, `/${replayed.body.id}`))).body).toMatchObject({ replay_of: request_id, body: { n: 1 } })
})

test('a request is replayed at its own webhook or not at all', async () => {
  const { workflow_id, request_id } = await called('gone')
  const definition = { nodes: [{ id: 'other', type: 'trigger.webhook', config: { path: 'gone' } }], edges: [] }
  expect((await anna.call('PUT', `/api/v1/workflows/${workflow_id}`, { body: { definition }, headers: { 'if-match': '*' } })).status).toBe(
    200,
  )
  expect((await anna.call('POST', `/api/v1/workflows/${workflow_id}/publish`)).status).toBe(201)
  expect((await anna.call('POST', at(workflow_id, `/${request_id}/replay`))).body.code).toBe('workflows.request_not_replayable')
  expect((await anna.call('POST', `/api/v1/workflows/${workflow_id}/pause`)).status).toBe(200)
  expect((await anna.call('POST', at(workflow_id, `/${request_id}/replay`))).body.code).toBe('workflows.not_active')
})

test('a start whose answer was lost with its process is answered with the execution that there is', async () => {
  const { workflow_id } = await called('lost')
  const execute = (n: number) =>
    anna.call('POST', `/api/v1/workflows/${workflow_id}/execute`, {
      body: { input: { body: { n } } },
      headers: { 'idempotency-key': '"k"' },
    })
  const first = await execute(1)
  expect(first.status).toBe(202)
  await mill.database.owner`delete from idempotent_replies`
  const again = await execute(1)
  expect([again.status, again.body.id]).toEqual([202, first.body.id])
})
