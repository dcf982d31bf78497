import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { manual, publish } from '../../workflows/definitions.testing.ts'
import { type Answer, type Asked, type Wire, wire } from '../wire.testing.ts'

const token = 'xoxb-canary-1'
let mill: TestApp
let anna: TestUser
let slack: Wire
/** Answers to come, before good ones. */
let weather: Answer[] = []
let integration_id: string

const posted = ({ body }: Asked): Answer => ({
  body: { ok: true, channel: 'C024BE91L', ts: '1503435956.000247', message: JSON.parse(body) },
})

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
  slack = await wire((asked) => weather.shift() ?? posted(asked))
  const body = { type: 'slack', name: 'Slack', config: { base_url: `${slack.url}/api` }, credentials: { token } }
  integration_id = (await anna.call('POST', '/api/v1/users/integrations', { body })).body.id
})
afterAll(async () => {
  await mill.close()
  await slack.close()
})

const run = async (config: object = {}, { weather: next = [], ...rest }: { weather?: readonly Answer[]; retry?: object } = {}) => {
  weather = [...next]
  const post = { id: 'post', type: 'slack.post', config: { integration_id, channel: '#alerts', text: 'It is down', ...config }, ...rest }
  const id = await publish(anna, { nodes: [manual, post], edges: [{ from: 'start', to: 'post' }] })
  const { body } = await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { wait_ms: 10_000, input: { thread: '15.1' } } })
  return (await anna.call('GET', `/api/v1/workflows/executions/${body.id}?payloads=true`)).body
}
const retry = { max_attempts: 4, delay_ms: 1 }

test('a message is posted as Slack’s API takes it, and the step gives what it is answered by', async () => {
  const blocks = [{ type: 'section', text: { type: 'mrkdwn', text: '*down*' } }]
  const execution = await run({ blocks, thread_ts: '{{ trigger.thread }}' })
  expect(execution.output).toEqual({ channel: 'C024BE91L', ts: '1503435956.000247' })
  const asked = slack.asked.at(-1)
  expect([asked?.method, asked?.path, asked?.headers.authorization]).toEqual(['POST', '/api/chat.postMessage', `Bearer ${token}`])
  expect(asked?.headers['content-type']).toBe('application/json; charset=utf-8')
  expect(JSON.parse(asked?.body ?? '')).toEqual({
    ...{ channel: '#alerts', text: 'It is down', blocks, thread_ts: '15.1' },
    client_msg_id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  })
})

test('it is patient when Slack asks for it or has trouble, and says the same each time', async () => {
  const before = slack.asked.length
  const trouble: Answer[] = [
    { status: 429, headers: { 'retry-after': '1' }, body: { ok: false, error: 'ratelimited' } },
    { status: 503, body: 'no' },
    { body: { ok: false, error: 'internal_error' } },
  ]
  const started = Date.now()
  const execution = await run({}, { retry, weather: trouble })
  expect(execution.status, JSON.stringify(execution.error)).toBe('succeeded')
  expect(Date.now() - started).toBeGreaterThanOrEqual(1_000)
  const tries = slack.asked.slice(before)
  expect(tries).toHaveLength(4)
  expect(new Set(tries.map(({ body }) => JSON.parse(body).client_msg_id)).size).toBe(1)
  expect(new Set(tries.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
})

test.each([
  ['channel_not_found', { body: { ok: false, error: 'channel_not_found' } }, 'slack.channel_not_found'],
  ['invalid_auth', { body: { ok: false, error: 'invalid_auth' } }, 'slack.invalid_auth'],
  ['a word of its own', { body: { ok: false, error: `<${token}>` } }, 'slack.unknown'],
  ['a page', { body: `<html>${token}` }, 'slack.status'],
  ['a redirect', { status: 302, headers: { location: 'https://elsewhere.example/' } }, 'slack.status'],
])('what Slack refuses for good (%s) is not tried again', async (_, answer, code) => {
  const before = slack.asked.length
  const execution = await run({}, { retry, weather: [answer] })
  expect(execution.error).toMatchObject({ code })
  expect(slack.asked.length - before).toBe(1)
  const rows = await mill.database.owner`select body from execution_records`
  expect(JSON.stringify([execution, rows])).not.toContain(token)
})

test('an integration of another type posts nothing', async () => {
  const body = { type: 'openai', name: 'AI', credentials: { api_key: 'a-key' } }
  const other = (await anna.call('POST', '/api/v1/users/integrations', { body })).body.id as string
  expect((await run({ integration_id: other })).error).toMatchObject({ code: 'integrations.not_usable' })
})
