import { afterAll, beforeAll, expect, test } from 'vitest'
import { scenario } from '../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../test-app.ts'
import { manual, publish } from '../workflows/definitions.testing.ts'
import { uses } from './uses.ts'
import { echo, type Wire, wire } from './wire.testing.ts'

let mill: TestApp
let anna: TestUser
let ben: TestUser
let service: Wire
let elsewhere: Wire

const secret = 'canary "5f0c2a9e" /never\\shown'

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1,localhost' } })
  anna = await mill.register('anna')
  ben = await mill.register('ben')
  elsewhere = await wire(echo)
  service = await wire((asked) => {
    if (asked.path === '/away') return { status: 307, headers: { location: `${elsewhere.url}/caught` } }
    if (asked.path === '/refuse') return { status: 403, body: `no entry with ${asked.headers.authorization}` }
    return echo(asked)
  })
})
afterAll(async () => {
  await mill.close()
  await service.close()
  await elsewhere.close()
})

const connect = async (user: TestUser, config: object, credentials: object): Promise<string> => {
  const body = { type: 'http', name: 'Service', config: { base_url: service.url, ...config }, credentials }
  const reply = await user.call('POST', '/api/v1/users/integrations', { body })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body.id as string
}

const fetching = (integration_id: string, config: object) => ({
  nodes: [manual, { id: 'fetch', type: 'http.request', config: { method: 'GET', integration_id, ...config } }],
  edges: [{ from: 'start', to: 'fetch' }],
})

/** Runs one request with an integration and gives the whole execution as its reader sees it. */
const run = async (user: TestUser, integration_id: string, config: object) => {
  const id = await publish(user, fetching(integration_id, config))
  const { body } = await user.call('POST', `/api/v1/workflows/${id}/execute`, { body: { wait_ms: 10_000 } })
  return (await user.call('GET', `/api/v1/workflows/executions/${body.id}`)).body
}

const inJournal = async (text: string): Promise<boolean> => {
  const rows = await mill.database.owner`select body from execution_records`
  const all = JSON.stringify(rows)
  return [text, JSON.stringify(text).slice(1, -1), JSON.stringify(JSON.stringify(text).slice(1, -1)).slice(1, -1)].some((form) =>
    all.includes(form),
  )
}

test.each<[string, object, object, (asked: Wire['asked'][number]) => unknown, unknown]>([
  ['bearer', { auth: 'bearer' }, { token: 'tok-bearer-1' }, ({ headers }) => headers.authorization, 'Bearer tok-bearer-1'],
  [
    'basic',
    { auth: 'basic', username: 'anna' },
    { password: 'pass word-1' },
    ({ headers }) => headers.authorization,
    `Basic ${Buffer.from('anna:pass word-1').toString('base64')}`,
  ],
  [
    'header',
    { auth: 'header', header_name: 'X-Api-Key' },
    { value: 'key-header-1' },
    ({ headers }) => headers['x-api-key'],
    'key-header-1',
  ],
  ['query', { auth: 'query', query_name: 'api_key' }, { value: 'key&query 1' }, ({ query }) => query.get('api_key'), 'key&query 1'],
])(
  'a request carries a %s credential, and what the service says back of it is not recorded',
  async (_, config, credentials, seen, expected) => {
    const id = await connect(anna, config, credentials)
    const execution = await run(anna, id, { url: `${service.url}/orders?page=1` })
    expect(execution.status, JSON.stringify(execution)).toBe('succeeded')
    const asked = service.asked.at(-1) as Wire['asked'][number]
    expect(seen(asked)).toBe(expected)
    expect(asked.query.get('page')).toBe('1')
    const [value = ''] = Object.values(credentials) as string[]
    expect(JSON.stringify(execution)).toContain('[redacted]')
    for (const text of [value, expected as string, Buffer.from(`anna:${value}`).toString('base64')]) {
      expect(JSON.stringify(execution)).not.toContain(text)
      expect(await inJournal(text)).toBe(false)
    }
  },
)

test('a credential that has to be written in another way in JSON is found in that way', async () => {
  const id = await connect(anna, { auth: 'bearer' }, { token: secret })
  const execution = await run(anna, id, { url: `${service.url}/` })
  expect(execution.status).toBe('succeeded')
  expect(service.asked.at(-1)?.headers.authorization).toBe(`Bearer ${secret}`)
  expect(await inJournal(secret)).toBe(false)
  expect(JSON.stringify(execution)).not.toContain('5f0c2a9e')
})

test('an answer that is refused keeps the credential out of the error', async () => {
  const id = await connect(anna, { auth: 'bearer' }, { token: 'tok-refused-1' })
  const execution = await run(anna, id, { url: `${service.url}/refuse` })
  expect(execution.error).toMatchObject({ code: 'http.status', details: { status: 403, body: 'no entry with [redacted]' } })
  expect(await inJournal('tok-refused-1')).toBe(false)
})

test('a workflow cannot send a credential to a host that is not the integration’s', async () => {
  const id = await connect(anna, { auth: 'bearer' }, { token: 'tok-kept-1' })
  const { port } = new URL(service.url)
  const before = [service.asked.length, elsewhere.asked.length]
  for (const url of [
    elsewhere.url,
    `http://localhost:${port}/`,
    `https://127.0.0.1:${port}/`,
    `${service.url}@${new URL(elsewhere.url).host}/`,
  ]) {
    const { error } = await run(anna, id, { url })
    expect([url, error.code]).toEqual([url, 'integrations.host_refused'])
  }
  expect([service.asked.length, elsewhere.asked.length]).toEqual(before)
})

test('a redirect to another host loses the credential on the way', async () => {
  const id = await connect(anna, { auth: 'header', header_name: 'X-Api-Key' }, { value: 'key-redirected' })
  const execution = await run(anna, id, { url: `${service.url}/away` })
  expect(execution.status).toBe('succeeded')
  const caught = elsewhere.asked.at(-1)
  expect(caught?.path).toBe('/caught')
  expect(JSON.stringify(caught)).not.toContain('key-redirected')
})

test('a step with an integration of another workspace, or with none of that id, says so', async () => {
  const id = await connect(ben, { auth: 'bearer' }, { token: 'tok-of-ben' })
  const before = service.asked.length
  for (const integration of [id, '01900000-0000-7000-8000-000000000000']) {
    const { status, error } = await run(anna, integration, { url: service.url })
    expect([status, error.code]).toEqual(['failed', 'integrations.missing'])
  }
  expect(service.asked.length).toBe(before)
})

test('which integration a step uses is no matter of what comes in', async () => {
  const definition = fetching('{{ trigger.id }}', { url: service.url })
  const { body } = await anna.call('POST', '/api/v1/workflows', { body: { name: 'Chosen from outside', definition } })
  const published = await anna.call('POST', `/api/v1/workflows/${body.id}/publish`)
  expect([published.status, published.body.code]).toEqual([422, 'workflows.not_publishable'])
})

test('an integration says when it was used last', async () => {
  const id = await connect(anna, { auth: 'bearer' }, { token: 'tok-used-1' })
  await run(anna, id, { url: service.url })
  await mill.app.use(uses).flush()
  const { body, headers } = await anna.call('GET', `/api/v1/users/integrations/${id}`)
  expect(Date.now() - Date.parse(body.last_used_at)).toBeLessThan(60_000)
  expect(headers.get('etag')).toBe('"1"')
})

test('an integration that a published workflow uses is not removed by accident', async () => {
  const id = await connect(anna, { auth: 'bearer' }, { token: 'tok-removed-1' })
  const workflow_id = await publish(anna, fetching(id, { url: service.url }))
  const path = `/api/v1/users/integrations/${id}`
  await scenario(mill, {
    when: { by: anna.call, method: 'DELETE', path },
    status: 409,
    body: { code: 'integrations.in_use', used_by: [{ workflow_id, name: 'A workflow' }] },
    events: [],
  })
  await scenario(mill, {
    when: { by: anna.call, method: 'DELETE', path: `${path}?force=true` },
    status: 204,
    events: ['integrations.deleted'],
  })
  const started = await anna.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: { wait_ms: 10_000 } })
  expect(started.body).toMatchObject({ status: 'failed', error: { code: 'integrations.missing' } })
})
