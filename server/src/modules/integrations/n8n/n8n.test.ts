import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { manual, publish } from '../../workflows/definitions.testing.ts'
import { api_key, openN8n, type StandIn } from './stand-in.testing.ts'

let mill: TestApp
let anna: TestUser
let ben: TestUser
let n8n: StandIn
let integration_id: string
const signing_secret = `whsec_${Buffer.from('a secret of both').toString('base64')}`

const connect = async (user: TestUser, credentials: object, config: object = {}): Promise<string> => {
  const body = { type: 'n8n', name: 'n8n', config: { base_url: n8n.url, ...config }, credentials }
  const reply = await user.call('POST', '/api/v1/users/integrations', { body })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body.id as string
}

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
  ben = await mill.register('ben')
  n8n = await openN8n()
  integration_id = await connect(anna, { api_key, signing_secret })
})
beforeEach(() => {
  n8n.workflows.splice(0)
  n8n.runs.splice(0)
  n8n.asked.splice(0)
  n8n.workflows.push(
    { id: 'wfActive', path: 'orders/new one', active: true },
    { id: 'wfAnswers', path: 'answers', active: true, mode: 'lastNode' },
    { id: 'wfResting', path: 'resting', active: false },
    { id: 'wfBroken', path: 'broken', active: true, mode: 'lastNode', fails: true },
    { id: 'wfGet', path: 'get', active: true, method: 'GET' },
  )
})
afterAll(async () => {
  await mill.close()
  await n8n.close()
})

const path = '/api/v1/automation/trigger-workflow'
const event = 'order.created'

/** Asks for a start, and waits for what came of it. */
const trigger = async (body: object, user = anna) => {
  const started = await user.call('POST', path, { body: { integration_id, event, data: { id: 7 }, ...body } })
  expect(started.status, JSON.stringify(started.body)).toBe(202)
  const at = started.headers.get('location') as string
  return vi.waitFor(
    async () => {
      const { body: state } = await user.call('GET', at)
      expect(state.finished_at).not.toBeNull()
      return state
    },
    { timeout: 20_000, interval: 50 },
  )
}

const run = async (config: object, more: object = {}) => {
  const node = { id: 'hand', type: 'n8n.trigger', config: { integration_id, event, ...config }, ...more }
  const id = await publish(anna, { nodes: [manual, node], edges: [{ from: 'start', to: 'hand' }] })
  return (await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input: { sacks: 3 }, wait_ms: 20_000 } })).body
}

test('a workflow is started by its id, through the webhook that n8n names, with a key and a signature', async () => {
  const { status, outcome, execution_id } = await trigger({ workflow_id: 'wfActive', callback_url: 'https://mill.example/back' })
  expect([status, outcome]).toEqual([
    'succeeded',
    { outcome: 'accepted', status: 200, n8n_execution_id: null, body: { message: 'Workflow was started' }, detail: null },
  ])
  const [call, ...more] = n8n.calls()
  expect(more).toEqual([])
  expect(call?.path).toBe('/webhook/orders/new%20one')
  expect(JSON.parse(call?.body ?? '')).toEqual({ event, data: { id: 7 }, callback_url: 'https://mill.example/back' })
  const headers = call?.headers ?? {}
  expect(headers).toMatchObject({ 'idempotency-key': execution_id, 'webhook-id': execution_id, 'x-millrace-execution-id': execution_id })
  expect(headers).not.toHaveProperty('x-n8n-api-key')
  const signed = createHmac('sha256', 'a secret of both').update(`${execution_id}.${String(headers['webhook-timestamp'])}.${call?.body}`)
  expect(headers['webhook-signature']).toBe(`v1,${signed.digest('base64')}`)
})

test.each<[string, object, object]>([
  ['one that answers when it has run', { workflow_id: 'wfAnswers' }, { outcome: 'succeeded', status: 200, body: { got: { id: 7 } } }],
  [
    'one that is not active',
    { workflow_id: 'wfResting' },
    { outcome: 'not_active', status: 404, detail: expect.stringContaining('activate') },
  ],
  ['one that fails', { workflow_id: 'wfBroken' }, { outcome: 'failed', status: 500 }],
  [
    'one in an editor that does not listen',
    { workflow_id: 'wfResting', test: true },
    { outcome: 'not_active', detail: expect.stringContaining('editor') },
  ],
  ['one at a path that is given', { path: '/answers' }, { outcome: 'succeeded' }],
])('%s: the outcome says so', async (_, body, outcome) => {
  expect(await trigger(body)).toMatchObject({ status: 'succeeded', outcome })
})

test('a workflow in the editor is started through its test webhook', async () => {
  n8n.listening = 'wfResting'
  expect(await trigger({ workflow_id: 'wfResting', test: true })).toMatchObject({ outcome: { outcome: 'accepted' } })
  expect(n8n.calls().map((call) => call.path)).toEqual(['/webhook-test/resting'])
  n8n.listening = null
})

test.each([
  ['wfGet', 'n8n.no_webhook'],
  ['wfNone', 'n8n.no_workflow'],
])('a start that cannot be is not tried again (%s)', async (workflow_id, code) => {
  expect(await trigger({ workflow_id })).toMatchObject({ status: 'failed', outcome: null, error: { code } })
  expect(n8n.calls()).toEqual([])
})

test('while n8n takes nothing on, the same start is tried again under the same key', async () => {
  n8n.weather.push({ status: 429, headers: { 'retry-after': '1' } }, { status: 503 })
  const { outcome, execution_id } = await trigger({ workflow_id: 'wfActive' })
  expect(outcome.outcome).toBe('accepted')
  expect(n8n.calls().map(({ headers }) => headers['idempotency-key'])).toEqual([execution_id, execution_id, execution_id])
  expect(n8n.runs).toHaveLength(1)
})

test('where a gateway loses the answer, n8n is asked what became of it, and nothing starts twice', async () => {
  n8n.weather.push({ status: 502 })
  expect(await trigger({ workflow_id: 'wfActive' })).toMatchObject({ status: 'succeeded', outcome: { outcome: 'unknown', status: null } })
  expect(n8n.calls()).toHaveLength(1)
})

test('an answer that does not come is looked up among the executions of n8n', async () => {
  n8n.weather.push('never answers, runs')
  const execution = await run({ workflow_id: 'wfActive', timeout_ms: 300 })
  expect(execution).toMatchObject({ status: 'succeeded', output: { outcome: 'succeeded', status: null, n8n_execution_id: '1' } })
  n8n.weather.push('never answers, runs')
  const failed = await run({ workflow_id: 'wfBroken', timeout_ms: 300 })
  expect(failed).toMatchObject({ status: 'failed', error: { code: 'n8n.failed', details: { n8n_execution_id: '2' } } })
  n8n.weather.push('never answers, lost')
  const lost = await run({ workflow_id: 'wfActive', timeout_ms: 300 }, { retry: { max_attempts: 5, backoff: 'fixed', delay_ms: 10 } })
  expect(lost).toMatchObject({ status: 'failed', error: { code: 'n8n.unknown' } })
  expect(n8n.calls()).toHaveLength(3)
})

test('a step hands its input over, and fails by the name of what is wrong', async () => {
  expect(await run({ workflow_id: 'wfAnswers' })).toMatchObject({
    status: 'succeeded',
    output: { outcome: 'succeeded', body: { got: { sacks: 3 } } },
  })
  expect(await run({ workflow_id: 'wfResting' })).toMatchObject({ status: 'failed', error: { code: 'n8n.not_active' } })
  const retried = { retry: { max_attempts: 3, backoff: 'fixed', delay_ms: 10 } }
  n8n.weather.push({ status: 429 })
  expect(await run({ workflow_id: 'wfAnswers' }, retried)).toMatchObject({ status: 'succeeded' })
  n8n.asked.splice(0)
  n8n.weather.push({ status: 403, body: { heard: signing_secret } })
  const refused = await run({ workflow_id: 'wfAnswers' }, retried)
  expect(refused).toMatchObject({ error: { code: 'n8n.refused', details: { body: { heard: '[redacted]' } } } })
  expect(n8n.calls()).toHaveLength(1)
})

test('a webhook may ask for a header of its own and be at another address', async () => {
  const id = await connect(
    anna,
    { webhook_token: 'hook-token-1' },
    { webhook_header: 'X-Hook', workflows: { wfA: 'answers' }, base_url: 'http://127.0.0.1:9', webhook_url: n8n.url },
  )
  expect(await trigger({ integration_id: id, workflow_id: 'wfA' })).toMatchObject({ outcome: { outcome: 'succeeded' } })
  expect(n8n.calls().at(-1)?.headers['x-hook']).toBe('hook-token-1')
  expect(await trigger({ integration_id: id, workflow_id: 'wfB' })).toMatchObject({ error: { code: 'n8n.no_webhook' } })
})

test('only an n8n integration of one’s own workspace starts anything, and others do not see what came of it', async () => {
  const { body: shop } = await anna.call('POST', '/api/v1/users/integrations', {
    body: { type: 'openai', name: 'Models', credentials: { api_key: 'sk-1234' } },
  })
  const { execution_id } = await trigger({ workflow_id: 'wfActive' })
  const before = n8n.asked.length
  const ask = (user: TestUser, body: object) =>
    user.call('POST', path, { body: { integration_id, event, workflow_id: 'wfActive', ...body } })
  expect((await ask(ben, {})).body.code).toBe('integrations.not_found')
  expect((await ask(anna, { integration_id: shop.id })).body.code).toBe('integrations.not_usable')
  expect((await ask(anna, { workflow_id: undefined })).status).toBe(422)
  expect((await ask(anna, { workflow_id: '../../credentials' })).status).toBe(422)
  expect((await ben.call('GET', `${path}/${execution_id}`)).body.code).toBe('integrations.handover_not_found')
  expect(await trigger({ path: '../rest/x' })).toMatchObject({ error: { code: 'n8n.no_webhook' } })
  expect(n8n.asked.length).toBe(before)
})

test('the same request with the same key starts a workflow once', async () => {
  const body = { integration_id, event, workflow_id: 'wfActive' }
  const ask = () => anna.call('POST', path, { body, headers: { 'idempotency-key': '"order-7"' } })
  const [first, second] = [await ask(), await ask()]
  expect([first.status, second.status]).toEqual([202, 202])
  expect(second.body.execution_id).toBe(first.body.execution_id)
  await vi.waitFor(() => expect(n8n.runs).toHaveLength(1), 5_000)
})
