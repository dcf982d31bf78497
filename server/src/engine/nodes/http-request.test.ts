import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { Json, JsonObject } from '../../lib/json.ts'
import type { App } from '../../platform/context.ts'
import { createOutbound } from '../../platform/outbound/outbound.ts'
import { type EffectNode, NodeFailure } from '../node.ts'
import { httpRequest } from './http-request.ts'

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Answers with what it was asked. */
const echo: RequestListener = (request, response) => {
  let body = ''
  request
    .on('data', (chunk) => (body += chunk))
    .on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }))
    })
}

const now = Date.UTC(2026, 0, 1)

/** Runs the node as the executor does; the outbound client and the server it talks to are real. */
const run = async (config: JsonObject, allow: readonly string[] = ['127.0.0.1']): Promise<JsonObject> => {
  const client = createOutbound({ allow })
  cleanups.push(client.close)
  const io = {
    app: { use: () => client, now: () => now } as unknown as App,
    workspace_id: 'w',
    execution_id: 'e',
    node_id: 'fetch',
    path: 'fetch',
    failures: 0,
    attempt: 1,
    idempotency_key: 'e:fetch',
    hops: 0,
    credential: () => Promise.reject(new Error('no credential is asked for')),
    scope: { trigger: null, execution: {}, workspace: {}, vars: {}, output: () => undefined, outputs: () => ({}) },
    signal: new AbortController().signal,
  }
  const { output } = await (httpRequest as EffectNode).run({ config: config as never, input: null, inputs: {} }, io)
  return output as JsonObject
}

const failureOf = async (config: JsonObject, allow?: readonly string[]): Promise<NodeFailure> => {
  const outcome: unknown = await run(config, allow).catch((error: unknown) => error)
  if (!(outcome instanceof NodeFailure)) throw new Error('no failure of the node', { cause: outcome })
  return outcome
}

const echoed = async (config: JsonObject) =>
  (await run(config))['body'] as { method: string; url: string; headers: Record<string, string>; body: string }

test('the answer comes out with status, headers, parsed body and duration', async () => {
  const url = await serve((_, response) =>
    response.writeHead(201, { 'content-type': 'application/json', 'set-cookie': 'a=1' }).end('{"a":[1,{"b":null}]}'),
  )
  const output = await run({ method: 'GET', url })
  expect(output).toMatchObject({
    status: 201,
    headers: { 'content-type': 'application/json', 'set-cookie': ['a=1'] },
    body: { a: [1, { b: null }] },
  })
  expect(output['duration_ms']).toBeTypeOf('number')
})

test('an object goes out as JSON, with the idempotency key of the step', async () => {
  const { method, headers, body } = await echoed({ method: 'POST', url: await serve(echo), body: { a: [1, 'zwei'] } })
  expect([method, JSON.parse(body)]).toEqual(['POST', { a: [1, 'zwei'] }])
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'idempotency-key': 'e:fetch', 'user-agent': 'Millrace' })
})

test('headers of the config win, whatever their case', async () => {
  const { headers } = await echoed({
    method: 'POST',
    url: await serve(echo),
    headers: {
      'Idempotency-Key': 'mine',
      'USER-AGENT': 'me',
      'X-Number': 5,
      'X-Flag': true,
      'X-Left-Out': null,
      'Content-Type': 'application/vnd.x+json',
    },
    body: {},
  })
  expect(headers).toMatchObject({
    'idempotency-key': 'mine',
    'user-agent': 'me',
    'x-number': '5',
    'x-flag': 'true',
    'content-type': 'application/vnd.x+json',
  })
  expect(headers).not.toHaveProperty('x-left-out')
})

test.each(['GET', 'HEAD'])('a %s carries no idempotency key', async (method) => {
  let seen: unknown
  const url = await serve((request, response) => {
    seen = request.headers['idempotency-key']
    response.end()
  })
  expect((await run({ method, url }))['body']).toBeNull()
  expect(seen).toBeUndefined()
})

test.each<[string, JsonObject, string, string | undefined]>([
  ['text', { body: 'héllo' }, 'héllo', 'text/plain; charset=utf-8'],
  ['text of a type of its own', { body: '<a/>', headers: { 'content-type': 'application/xml' } }, '<a/>', 'application/xml'],
  [
    'a form',
    { body: { a: 1, b: ['x y', '&'] }, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
    'a=1&b=x+y&b=%26',
    'application/x-www-form-urlencoded',
  ],
  ['a list', { body: [1] }, '[1]', 'application/json'],
  ['a number', { body: 0 }, '0', 'application/json'],
  ['null', { body: null }, '', undefined],
])('%s as a body is sent as what it is', async (_, config, body, type) => {
  const answer = await echoed({ method: 'POST', url: await serve(echo), ...config })
  expect(answer.body).toBe(body)
  expect(answer.headers['content-type']).toBe(type)
})

test.each([
  ['/p', '/p?a=1&b=x+y&c=1&c=2'],
  ['/p?', '/p?a=1&b=x+y&c=1&c=2'],
  ['/p?z=%20+~', '/p?z=%20+~&a=1&b=x+y&c=1&c=2'],
  ['/p#fragment', '/p?a=1&b=x+y&c=1&c=2'],
])('the query is added to %s', async (path, expected) => {
  const { url } = await echoed({ method: 'GET', url: (await serve(echo)) + path, query: { a: 1, b: 'x y', c: [1, 2], d: null } })
  expect(url).toBe(expected)
})

test.each<[string, string | undefined, string | Buffer, Json]>([
  ['JSON', 'application/json; charset=utf-8', '"\\ud800\\u0000"', '\ud800\0'],
  ['a dialect of JSON', 'application/problem+json', '{}', {}],
  ['empty JSON', 'application/json', '', null],
  ['text', 'text/html; charset=utf-8', '<p>ä</p>', '<p>ä</p>'],
  ['text in Latin-1', 'text/plain; charset="ISO-8859-1"', Buffer.from([0xe4]), 'ä'],
  ['text in a charset that nobody knows', 'text/plain; charset=klingon', 'ä', 'ä'],
  ['XML', 'application/atom+xml', '<a/>', '<a/>'],
  ['text that does not say so', undefined, 'plain', 'plain'],
])('%s is read as what it is', async (_, type, body, expected) => {
  const url = await serve((_request, response) => response.writeHead(200, type === undefined ? {} : { 'content-type': type }).end(body))
  expect((await run({ method: 'GET', url }))['body']).toEqual(expected)
})

test.each<[string, string | undefined, Buffer, string]>([
  ['an image', 'image/png', Buffer.from([0x89, 0x50]), 'http.binary_not_supported'],
  ['bytes without a type', undefined, Buffer.from([0xff, 0x00]), 'http.binary_not_supported'],
  ['broken JSON', 'application/json', Buffer.from('{"a":'), 'http.malformed_answer'],
  ['a number that becomes infinite', 'application/json', Buffer.from('1e400'), 'http.malformed_answer'],
  ['JSON nested 10,000 deep', 'application/json', Buffer.from('['.repeat(10_000) + ']'.repeat(10_000)), 'http.malformed_answer'],
])('%s fails the step, and trying again is no use', async (_, type, body, code) => {
  const url = await serve((_request, response) => response.writeHead(200, type === undefined ? {} : { 'content-type': type }).end(body))
  expect(await failureOf({ method: 'GET', url })).toMatchObject({ code, retryable: false })
})

test.each<[number, string | undefined, boolean]>([
  [200, undefined, true],
  [299, undefined, true],
  [300, undefined, false],
  [404, '2xx,404', true],
  [404, ' 2xx , 400-404 ', true],
  [405, '2xx,400-404', false],
  [200, '404', false],
  [503, '5xx', true],
])('a %i with accept_status %j is accepted: %j', async (status, accept_status, accepted) => {
  const url = await serve((_, response) => response.writeHead(status).end('no'))
  const config = { method: 'GET', url, ...(accept_status !== undefined && { accept_status }) }
  if (accepted) expect((await run(config))['status']).toBe(status)
  else expect(await failureOf(config)).toMatchObject({ code: 'http.status', details: { status, body: 'no' } })
})

test.each([
  [400, false],
  [401, false],
  [404, false],
  [408, true],
  [409, false],
  [425, true],
  [429, true],
  [500, true],
  [503, true],
])('a %i is worth another try: %j', async (status, retryable) => {
  const url = await serve((_, response) => response.writeHead(status).end())
  expect(await failureOf({ method: 'GET', url })).toMatchObject({ code: 'http.status', retryable })
})

test.each([
  ['120', 120_000],
  [new Date(now + 90_000).toUTCString(), 90_000],
  [new Date(now - 90_000).toUTCString(), 0],
  ['soon', null],
  ['-5', null],
])('Retry-After: %s is honoured', async (value, expected) => {
  const url = await serve((_, response) => response.writeHead(429, { 'retry-after': value }).end())
  expect((await failureOf({ method: 'GET', url })).retry_after_ms).toBe(expected)
})

test('a refused address and a bad URL fail for good; what may pass by itself may be tried again', async () => {
  const url = await serve(() => undefined)
  expect(await failureOf({ method: 'GET', url }, [])).toMatchObject({ code: 'outbound.refused_address', retryable: false })
  expect(await failureOf({ method: 'GET', url: 'file:///etc/passwd' })).toMatchObject({ code: 'outbound.bad_url', retryable: false })
  expect(await failureOf({ method: 'GET', url, timeout_ms: 50 })).toMatchObject({ code: 'outbound.timeout', retryable: true })
  const large = await serve((_, response) => response.end('x'.repeat(1000)))
  expect(await failureOf({ method: 'GET', url: large, max_bytes: 999 })).toMatchObject({ code: 'outbound.too_large', retryable: false })
  const broken = await serve((request) => request.socket.destroy())
  expect(await failureOf({ method: 'GET', url: broken })).toMatchObject({ code: 'outbound.connection_lost', retryable: true })
})

test.each<[string, JsonObject]>([
  ['a URL that became a number', { url: 5 }],
  ['a header that is a list of objects', { headers: { a: [{}] } }],
  ['a query parameter that is an object', { query: { a: {} } }],
  ['a form that is a list', { body: [1], headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
])('%s is a mistake of the configuration', async (_, config) => {
  expect(await failureOf({ method: 'POST', url: 'http://127.0.0.1:1/', ...config })).toMatchObject({
    code: 'http.bad_config',
    retryable: false,
  })
})
