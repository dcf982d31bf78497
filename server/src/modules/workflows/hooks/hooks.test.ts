import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { engine } from '../../../engine/engine.ts'
import type { JsonObject } from '../../../lib/json.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestRequest, type TestUser } from '../../../test-app.ts'
import { manual, publish, requestDefinition, respondDefinition, webhookDefinition } from '../definitions.testing.ts'
import { createHookTable, hookTable } from './table.ts'

let mill: TestApp
let anna: TestUser
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1', MILLRACE_HOOK_WAIT_MS: '400' } })
  anna = await mill.register('anna')
})
afterAll(async () => {
  for (const close of closing) await close()
  await mill.close()
})

const call = (path: string, request: TestRequest = {}, method = 'POST') => mill.call(method, `/hooks/anna/${path}`, request)

const raw = (body: string | Buffer, type?: string, headers: { [name: string]: string } = {}): TestRequest => ({
  body,
  headers: { ...(type === undefined ? { 'content-type': '' } : { 'content-type': type }), ...headers },
})

const executionOf = async (id: string | null) => (await anna.call('GET', `/api/v1/workflows/executions/${id}?payloads=true`)).body

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test('the trigger is the call: method, path, headers, query and body, without its credentials', async () => {
  await publish(anna, webhookDefinition('orders/new', { methods: ['POST', 'PUT'] }))
  const reply = await call('orders/new?a=1&b=x%20y&b=2&=', {
    body: { n: 1 },
    headers: {
      'X-Custom': 'kept',
      authorization: 'Bearer canary',
      cookie: 'a=canary',
      'x-api-key': 'canary',
      'proxy-authorization': 'canary',
    },
  })
  expect(reply.status).toBe(200)
  const { input } = await executionOf(reply.headers.get('x-millrace-execution-id'))
  expect(input).toMatchObject({
    method: 'POST',
    path: 'orders/new',
    query: { a: '1', b: ['x y', '2'], '': '' },
    body: { n: 1 },
    raw_id: reply.headers.get('x-millrace-execution-id'),
  })
  expect(input.headers).toMatchObject({ 'x-custom': 'kept', 'content-type': 'application/json' })
  expect(JSON.stringify(input)).not.toContain('canary')
  expect((await call('orders/new', { body: { n: 2 } }, 'PUT')).body).toEqual({ got: { n: 2 } })
})

test.each<[string, TestRequest, unknown]>([
  ['JSON', raw('{"a":[1,null,"ü"]}', 'application/json'), { a: [1, null, 'ü'] }],
  ['JSON of a kind', raw('[1]', 'application/vnd.api+json; charset=utf-8'), [1]],
  ['JSON with a byte order mark', raw('\ufeff{"a":1}', 'application/json'), { a: 1 }],
  ['a NUL byte and half a surrogate pair in JSON', raw('"a\\u0000b\\ud800"', 'application/json'), 'a\0b\ud800'],
  [
    'names that JavaScript has a meaning for',
    raw('{"__proto__":{"a":1},"constructor":{"prototype":1}}', 'application/json'),
    JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":1}}'),
  ],
  [
    'a form',
    raw('a=1&b=x+y&b=%C3%BC&__proto__=2', 'application/x-www-form-urlencoded'),
    JSON.parse('{"a":"1","b":["x y","ü"],"__proto__":"2"}'),
  ],
  ['text', raw("it's <b>", 'text/plain'), "it's <b>"],
  ['text in Latin-1', raw(Buffer.from([0xe4]), 'text/plain; charset=iso-8859-1'), 'ä'],
  ['XML', raw('<a/>', 'application/xml'), '<a/>'],
  ['text of no type', raw('plain'), 'plain'],
  ['nothing', {}, null],
  ['nothing, said to be JSON', raw('', 'application/json'), null],
])('a body of %s arrives as what it is', async (_, request, expected) => {
  await publishOnce('bodies', webhookDefinition('bodies'))
  const reply = await call('bodies', request)
  expect(reply.status).toBe(200)
  expect(reply.body.got).toEqual(expected)
  expect((await executionOf(reply.headers.get('x-millrace-execution-id'))).input.body).toEqual(expected)
})

const published = new Map<string, Promise<string>>()
const publishOnce = (path: string, definition: object): Promise<string> => {
  const found = published.get(path) ?? publish(anna, definition)
  published.set(path, found)
  return found
}

test.each<[string, TestRequest, number, string]>([
  ['broken JSON', raw('{"a":', 'application/json'), 400, 'http.malformed_json'],
  ['JSON 10,000 levels deep', raw('['.repeat(10_000) + ']'.repeat(10_000), 'application/json'), 400, 'http.malformed_json'],
  ['JSON with an infinite number', raw('[1e999]', 'application/json'), 400, 'http.malformed_json'],
  ['an image', raw(Buffer.from([0x89, 0x50]), 'image/png'), 415, 'http.unsupported_media_type'],
  ['an upload', raw('--x--', 'multipart/form-data; boundary=x'), 415, 'http.unsupported_media_type'],
  ['bytes of no type', raw(Buffer.from([0xff, 0xfe])), 415, 'http.unsupported_media_type'],
  ['text that is not in its charset', raw(Buffer.from([0xff]), 'text/plain; charset=utf-8'), 415, 'http.unsupported_media_type'],
  ['text in no charset', raw('a', 'text/plain; charset=klingon'), 415, 'http.unsupported_media_type'],
  ['compressed JSON', raw(gzipSync('{}'), 'application/json', { 'content-encoding': 'gzip' }), 415, 'http.unsupported_media_type'],
  ['a content type that is none', raw('a', ';;;"'), 200, ''],
  ['more than 1 MiB', raw(`"${'x'.repeat(1_100_000)}"`, 'application/json'), 413, 'http.body_too_large'],
])('a body of %s starts nothing unless it can be read', async (_, request, status, code) => {
  await publishOnce('bodies', webhookDefinition('bodies'))
  const reply = await scenario(mill, {
    when: () => call('bodies', request),
    status,
    events: status === 200 ? ['workflows.execution.succeeded'] : [],
  })
  if (status !== 200) {
    expect(reply.headers.get('content-type')).toContain('application/problem+json')
    expect(reply.headers.get('x-millrace-execution-id')).toBeNull()
    expect(reply.body).toMatchObject({ code, status })
  }
})

test('answered at once, the execution is durable and named', async () => {
  await publish(anna, webhookDefinition('immediate', { respond: 'immediate' }))
  const reply = await call('immediate', { body: {} })
  expect(reply.status).toBe(202)
  expect(reply.body).toEqual({ execution_id: reply.headers.get('x-millrace-execution-id') })
  expect((await executionOf(reply.body.execution_id)).trigger).toEqual({ type: 'trigger.webhook', node_id: 'hook' })
  await publish(anna, webhookDefinition('immediate-200', { respond: 'immediate', status: 200 }))
  expect((await call('immediate-200')).status).toBe(200)
})

test('the last step answers, in the status that the webhook names', async () => {
  await publish(anna, webhookDefinition('last', { status: 201 }, { a: [1, 'x'] }))
  const reply = await call('last')
  expect([reply.status, reply.body]).toEqual([201, { a: [1, 'x'] }])
  expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8')
})

test.each<[string, JsonObject, { status: number; body: unknown; headers: { [name: string]: string | null } }]>([
  [
    'JSON',
    { status: 201, body: { a: '{{ trigger.body.n }}' } },
    { status: 201, body: { a: 5 }, headers: { 'content-type': 'application/json; charset=utf-8' } },
  ],
  ['a string as JSON', { body: 'text' }, { status: 200, body: 'text', headers: { 'content-type': 'application/json; charset=utf-8' } }],
  [
    'text',
    { body: 'n = {{ trigger.body.n }}', headers: { 'Content-Type': 'text/csv' } },
    {
      status: 200,
      body: 'n = 5',
      headers: { 'content-type': 'text/csv', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'" },
    },
  ],
  [
    'a page without rights',
    { body: '<p>hi</p>', headers: { 'content-type': 'text/html' } },
    {
      status: 200,
      body: '<p>hi</p>',
      headers: {
        'content-security-policy': 'sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts',
        'x-content-type-options': 'nosniff',
      },
    },
  ],
  [
    'a redirect',
    { status: 303, body: null, headers: { location: 'https://example.org/' } },
    { status: 303, body: null, headers: { location: 'https://example.org/' } },
  ],
  ['nothing', { status: 204, body: 'dropped' }, { status: 204, body: null, headers: { 'content-type': null } }],
  [
    'no power over the origin',
    {
      body: 1,
      headers: {
        'Set-Cookie': 'a=b',
        'Content-Security-Policy': '*',
        'Strict-Transport-Security': 'max-age=0',
        'Clear-Site-Data': '"*"',
        'X-Request-Id': 'x',
        'Content-Encoding': 'gzip',
        'X-Mine': 'yes',
      },
    },
    {
      status: 200,
      body: 1,
      headers: {
        'set-cookie': null,
        'clear-site-data': null,
        'strict-transport-security': null,
        'content-encoding': null,
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'x-mine': 'yes',
      },
    },
  ],
])('http.respond answers with %s', async (name, config, expected) => {
  const path = `respond-${name.replaceAll(' ', '-')}`
  await publish(anna, respondDefinition(path, config))
  const reply = await call(path, { body: { n: 5 } })
  expect([reply.status, reply.body]).toEqual([expected.status, expected.body])
  for (const [header, value] of Object.entries(expected.headers)) expect([header, reply.headers.get(header)]).toEqual([header, value])
  expect(reply.headers.get('x-millrace-execution-id')).toMatch(/^[0-9a-f-]{36}$/)
  expect(reply.headers.get('x-request-id')).not.toBe('x')
})

test('a run that was to respond and did not is answered without a body', async () => {
  await publish(anna, webhookDefinition('silent', { respond: 'respond_node' }))
  const reply = await call('silent')
  expect([reply.status, reply.body]).toEqual([204, null])
})

test('an answer does not wait for what comes after it', async () => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const url = await serve((_, response) => {
    arrive()
    void released.then(() => response.end())
  })
  await publish(anna, {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: 'early', respond: 'respond_node' } },
      { id: 'respond', type: 'http.respond', config: { body: 'early' } },
      { id: 'fetch', type: 'http.request', config: { method: 'GET', url } },
    ],
    edges: [
      { from: 'hook', to: 'respond' },
      { from: 'respond', to: 'fetch' },
    ],
  })
  const reply = await call('early')
  expect([reply.status, reply.body]).toEqual([200, 'early'])
  await arrived
  const status = async () => (await executionOf(reply.headers.get('x-millrace-execution-id'))).status
  expect(await status()).toBe('running')
  release()
  await expect.poll(status).toBe('succeeded')
})

test.each(['last_node', 'respond_node'])(
  'a run that fails is answered 500 with %s, and tells a stranger no more than its id',
  async (respond) => {
    const url = await serve((_, response) => response.writeHead(400).end('canary'))
    const hook = { id: 'hook', type: 'trigger.webhook', config: { path: `fails-${respond}`, respond } }
    await publish(anna, requestDefinition(hook, url))
    const reply = await scenario(mill, {
      when: () => call(`fails-${respond}`),
      status: 500,
      body: { code: 'workflows.execution_failed', execution_status: 'failed' },
      events: ['workflows.execution.failed'],
    })
    expect(reply.body.execution_id).toBe(reply.headers.get('x-millrace-execution-id'))
    expect(JSON.stringify(reply.body)).not.toContain('canary')
    expect(await executionOf(reply.body.execution_id)).toMatchObject({
      status: 'failed',
      error: { code: 'http.status', node_id: 'fetch', details: { status: 400, body: 'canary' } },
    })
  },
)

test.each(['last_node', 'respond_node'])('a run that takes long goes on, and its call is answered 202 with %s', async (respond) => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const url = await serve((_, response) => void released.then(() => response.end('late')))
  const hook = { id: 'hook', type: 'trigger.webhook', config: { path: `slow-${respond}`, respond } }
  const id = await publish(anna, requestDefinition(hook, url))
  const reply = await call(`slow-${respond}`)
  expect([reply.status, reply.body]).toEqual([202, { execution_id: reply.headers.get('x-millrace-execution-id') }])
  release()
  await expect.poll(async () => (await anna.call('GET', `/api/v1/workflows/${id}/executions`)).body.items[0].status).toBe('succeeded')
})

test('an unknown workspace, an unknown path and a draft are all the same 404', async () => {
  await anna.call('POST', '/api/v1/workflows', { body: { name: 'Draft', definition: webhookDefinition('draft-only') } })
  for (const path of ['nobody/x', 'anna/x', 'anna/draft-only', 'anna/', 'ANNA/bodies', "anna/' or 1=1", 'anna/a%00b', 'anna/%2e%2e/x']) {
    const reply = await scenario(mill, { when: () => mill.call('POST', `/hooks/${path}`, { body: {} }), status: 404, events: [] })
    expect(reply.body.code, path).toMatch(/^(workflows\.hook_not_found|http\.not_found)$/)
  }
})

test('other methods start nothing and are told which there are', async () => {
  await publish(anna, webhookDefinition('methods', { methods: ['GET', 'POST'] }))
  for (const method of ['PUT', 'PATCH', 'DELETE', 'HEAD', 'PROPFIND']) {
    const reply = await scenario(mill, { when: () => call('methods', {}, method), status: 405, events: [] })
    if (method !== 'PROPFIND') expect(reply.headers.get('allow')).toBe('GET, OPTIONS, POST')
  }
  const options = await scenario(mill, { when: () => call('methods', {}, 'OPTIONS'), status: 204, events: [] })
  expect(options.headers.get('allow')).toBe('GET, OPTIONS, POST')
  expect((await call('methods', {}, 'GET')).body).toEqual({ got: null })
})

test('HEAD and OPTIONS start a workflow that asks for them', async () => {
  const id = await publish(anna, webhookDefinition('asked', { methods: ['HEAD', 'OPTIONS'] }))
  expect((await call('asked', {}, 'HEAD')).status).toBe(200)
  expect((await call('asked', {}, 'OPTIONS')).body).toEqual({ got: null })
  expect((await anna.call('GET', `/api/v1/workflows/${id}/executions?total=true`)).body.total).toBe(2)
})

test('a webhook listens in every process from its publish on, and no longer than it is active', async () => {
  const other = await testApp({ beside: mill })
  try {
    const before = await publish(anna, webhookDefinition('everywhere', {}, { version: 1 }))
    const there = () => other.call('POST', '/hooks/anna/everywhere')
    await expect.poll(async () => (await there()).body).toEqual({ version: 1 })
    const put = await anna.call('PUT', `/api/v1/workflows/${before}`, {
      body: { definition: webhookDefinition('everywhere', {}, { version: 2 }) },
      headers: { 'if-match': '*' },
    })
    expect(put.status).toBe(200)
    await anna.call('POST', `/api/v1/workflows/${before}/publish`)
    await expect.poll(async () => (await there()).body).toEqual({ version: 2 })
    await anna.call('POST', `/api/v1/workflows/${before}/pause`)
    await expect.poll(async () => (await there()).status).toBe(404)
    await anna.call('POST', `/api/v1/workflows/${before}/resume`)
    await expect.poll(async () => (await there()).status).toBe(200)
    await anna.call('DELETE', `/api/v1/workflows/${before}`)
    await expect.poll(async () => (await there()).status).toBe(404)
  } finally {
    await other.close()
  }
})

test('a server that starts finds the webhooks of before', async () => {
  await publish(anna, webhookDefinition('restart', {}, { a: 1 }))
  const other = await testApp({ beside: mill })
  try {
    expect((await other.call('POST', '/hooks/anna/restart')).body).toEqual({ a: 1 })
  } finally {
    await other.close()
  }
})

test('a server that stops starts nothing more and says when to come back', async () => {
  await publish(anna, webhookDefinition('stopping'))
  const other = await testApp({ beside: mill })
  try {
    await other.app.use(engine).life.drain()
    await scenario(mill, {
      when: () => other.call('POST', '/hooks/anna/stopping'),
      status: 503,
      body: { code: 'engine.draining' },
      headers: { 'retry-after': '2', 'x-millrace-execution-id': null },
      events: [],
    })
  } finally {
    await other.close()
  }
})

test('what changed while nobody told this process is found when it looks again', async () => {
  const { owner } = mill.database
  const table = mill.app.use(hookTable)
  const gone = await publish(anna, webhookDefinition('gone'))
  const moved = await publish(anna, webhookDefinition('moved'))
  await owner`update workflows set status = 'paused', revision = revision + 1 where id = ${gone}`
  await owner`update workflow_webhooks set path = 'moved-on' where workflow_id = ${moved}`
  await owner`insert into workspace_slugs (slug, workspace_id, created_at) values ('anna-renamed', ${anna.workspace_id}, now())`
  expect((await call('gone')).status).toBe(200)
  await table.refresh(mill.app, null)
  expect([(await call('gone')).status, (await call('moved')).status, (await call('moved-on')).status]).toEqual([404, 404, 200])
  const renamed = (path: string) => mill.call('POST', `/hooks/anna-renamed/${path}`)
  expect([(await renamed('gone')).status, (await renamed('moved')).status, (await renamed('moved-on')).status]).toEqual([404, 404, 200])
  await owner`delete from workspace_slugs where slug = 'anna-renamed'`
  await table.refreshWorkspace(mill.app, anna.workspace_id)
  expect([(await call('moved-on')).status, (await renamed('moved-on')).status]).toEqual([200, 404])
})

test('what is known of a workflow gives way to a later revision only', () => {
  const table = createHookTable()
  const hook = {
    workspace_id: 'w',
    workflow_id: 'a',
    node_id: 'hook',
    respond: 'immediate',
    status: null,
    auth: null,
    deliveries: null,
    form: null,
    keep_requests: 'none',
    method: 'POST',
    path: 'x',
  } as const
  const live = (revision: number, version: number) => ({
    workflow_id: 'a',
    workspace_id: 'w',
    revision,
    hooks: version === 0 ? [] : [{ ...hook, version }],
  })
  table.apply(live(2, 2), ['acme'])
  table.apply(live(1, 1), ['acme'])
  expect(table.at('acme/x')?.get('POST')?.version).toBe(2)
  table.apply(live(3, 0), ['acme'])
  table.apply(live(2, 2), ['acme'])
  expect(table.at('acme/x')).toBeUndefined()
})

test('an address that has changed hands stays with its new holder', () => {
  const table = createHookTable()
  const live = (workflow_id: string, revision: number, held: boolean) => {
    const hook = {
      workspace_id: 'w',
      workflow_id,
      version: 1,
      node_id: 'hook',
      respond: 'immediate',
      status: null,
      auth: null,
      deliveries: null,
      form: null,
      keep_requests: 'none',
      method: 'POST',
      path: 'x',
    } as const
    return { workflow_id, workspace_id: 'w', revision, hooks: held ? [hook] : [] }
  }
  table.apply(live('a', 1, true), ['acme'])
  table.apply(live('b', 1, true), ['acme'])
  table.apply(live('a', 2, false), ['acme'])
  expect(table.at('acme/x')?.get('POST')?.workflow_id).toBe('b')
})

test('64 calls at once are 64 executions', async () => {
  const id = await publish(anna, webhookDefinition('many'))
  const replies = await Promise.all(Array.from({ length: 64 }, (_, n) => call('many', { body: { n } })))
  expect(replies.map(({ status, body }) => [status, body.got.n])).toEqual(Array.from({ length: 64 }, (_, n) => [200, n]))
  expect(new Set(replies.map(({ headers }) => headers.get('x-millrace-execution-id'))).size).toBe(64)
  expect((await anna.call('GET', `/api/v1/workflows/${id}/executions?total=true&limit=1`)).body.total).toBe(64)
})

test('a workflow that is started by hand is not a webhook', async () => {
  await publish(anna, { nodes: [manual], edges: [] })
  expect((await call('start')).status).toBe(404)
})

test.each<[string, object]>([
  ['immediate', { respond: 'immediate' }],
  ['last_node', { respond: 'last_node' }],
])('one Idempotency-Key starts one execution, and each repetition gets the first reply: %s', async (respond, config) => {
  const path = `once-${respond}`
  const id = await publish(anna, webhookDefinition(path, { methods: ['POST', 'PUT'], ...config }))
  const keyed = (body: unknown, key = '"once"', method = 'POST') => call(path, { body, headers: { 'idempotency-key': key } }, method)
  const first = await keyed({ n: 1 })
  const again = await keyed({ n: 1 })
  expect(first.status).toBeLessThan(300)
  expect(first.headers.get('idempotency-replayed')).toBeNull()
  expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([first.status, first.body, 'true'])
  expect(again.headers.get('x-millrace-execution-id')).toBe(first.headers.get('x-millrace-execution-id'))
  expect(await keyed({ n: 2 })).toMatchObject({ status: 422, body: { code: 'http.idempotency_mismatch' } })
  const others = [await keyed({ n: 1 }, '"another"'), await keyed({ n: 1 }, '"once"', 'PUT'), await call(path, { body: { n: 1 } })]
  const executions = [first, ...others].map(({ headers }) => headers.get('x-millrace-execution-id'))
  expect(new Set(executions).size).toBe(4)
  expect((await anna.call('GET', `/api/v1/workflows/${id}/executions?total=true`)).body.total).toBe(4)
})

test('of fifty calls with one Idempotency-Key at once one starts an execution', async () => {
  const id = await publish(anna, webhookDefinition('once-of-fifty'))
  const headers = { 'idempotency-key': 'fifty' }
  const replies = await Promise.all(Array.from({ length: 50 }, () => call('once-of-fifty', { body: {}, headers })))
  expect(new Set(replies.map(({ status, body }) => `${status} ${status === 409 ? body.code : ''}`))).toEqual(
    new Set(replies.some(({ status }) => status === 409) ? ['200 ', '409 http.idempotency_running'] : ['200 ']),
  )
  expect((await anna.call('GET', `/api/v1/workflows/${id}/executions?total=true`)).body.total).toBe(1)
})

test('a failed execution is the answer to its Idempotency-Key; a call that started nothing leaves its key free', async () => {
  const headers = { 'idempotency-key': '"fails"' }
  const early = await call('once-failing', { body: {}, headers })
  expect(early).toMatchObject({ status: 404, body: { code: 'workflows.hook_not_found' } })
  const id = await publish(anna, webhookDefinition('once-failing', {}, { got: '{{ trigger.body.missing.x }}' }))
  const first = await call('once-failing', { body: {}, headers })
  expect(first).toMatchObject({ status: 500, body: { code: 'workflows.execution_failed' } })
  expect(await call('once-failing', { body: {}, headers })).toMatchObject({ status: 500, body: first.body })
  expect((await anna.call('GET', `/api/v1/workflows/${id}/executions?total=true`)).body.total).toBe(1)
  expect(await call('once-failing', { body: {}, headers: { 'idempotency-key': 'a b' } })).toMatchObject({
    status: 400,
    body: { code: 'http.idempotency_key_invalid' },
  })
})
