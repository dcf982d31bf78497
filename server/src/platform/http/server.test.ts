import { Type } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineErrors } from '../errors.ts'
import { type TestDatabase, testDatabase } from '../testing/test-database.ts'
import { type TestServer, testServer } from '../testing/test-server.ts'
import { rawRoute, reply, route } from './route.ts'

const errors = defineErrors('mill', { stuck: { status: 409, title: 'The wheel is stuck' } })

const Wheel = Type.Object({
  id: Type.String(),
  name: Type.String(),
  spokes: Type.Array(Type.Object({ length_mm: Type.Integer() })),
  owner: Type.Union([Type.Object({ name: Type.String() }), Type.Null()]),
})
const wheel = {
  ...{ id: 'w1', name: 'Big', revision: 3, password_hash: 'hidden' },
  spokes: [{ length_mm: 7, secret: 'hidden' }],
  owner: { name: 'Ann', password_hash: 'hidden' },
}
const WheelPath = Type.Object({ id: Type.String({ maxLength: 40 }) })
const NewWheel = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 20 }),
  size: Type.Integer({ minimum: 1, default: 4 }),
  kind: Type.Optional(Type.Union([Type.Literal('over'), Type.Literal('under')])),
  notes: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})

const routes = [
  route({
    method: 'GET',
    path: '/wheels/{id}',
    summary: 'One',
    allow: 'signed:in',
    params: WheelPath,
    replies: { 200: Wheel },
    etag: true,
    handler: () => wheel,
  }),
  route({
    ...{ method: 'PUT', path: '/wheels/{id}', summary: 'Change', allow: 'signed:in' },
    params: WheelPath,
    body: NewWheel,
    replies: { 200: Type.Object({ if_match: Type.Union([Type.Integer(), Type.Null()]) }) },
    needs_if_match: true,
    handler: (_ctx, { request }) => ({ if_match: request.if_match }),
  }),
  route({
    method: 'GET',
    path: '/wheels/newest',
    summary: 'Fixed',
    allow: 'public',
    replies: { 200: Type.Object({ fixed: Type.Boolean() }) },
    handler: () => ({ fixed: true }),
  }),
  route({
    method: 'POST',
    path: '/wheels',
    summary: 'New',
    allow: 'wheels:write',
    body: NewWheel,
    replies: { 201: Type.Unknown() },
    handler: (_ctx, { body }) => body,
  }),
  route({
    method: 'POST',
    path: '/wheels/stop',
    summary: 'Admins',
    allow: 'wheels:stop',
    replies: { 204: Type.Null() },
    handler: () => null,
  }),
  route({
    ...{ method: 'GET', path: '/echo', summary: 'Query', allow: 'public' },
    query: Type.Object({
      limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
      flag: Type.Optional(Type.Boolean()),
      tag: Type.Optional(Type.Array(Type.String())),
      search: Type.Optional(Type.String()),
    }),
    replies: { 200: Type.Unknown() },
    handler: (_ctx, { query }) => query,
  }),
  route({
    ...{ method: 'GET', path: '/who', summary: 'Actor', allow: 'public' },
    replies: { 200: Type.Unknown() },
    handler: (ctx, { request }) => ({
      type: ctx.actor.type,
      request_id: ctx.request_id,
      workspace_id: ctx.workspace_id,
      cookie: request.cookies['mill'] ?? null,
    }),
  }),
  route({
    ...{ method: 'POST', path: '/cookie', summary: 'Cookie', allow: 'public' },
    replies: { 200: Type.Object({}) },
    handler: () => reply({ status: 200, body: {}, cookies: [{ name: 'mill', value: 'a b', path: '/api', max_age_s: 60 }] }),
  }),
  route({
    method: 'GET',
    path: '/broken',
    summary: 'Broken',
    allow: 'public',
    replies: { 200: Type.Unknown() },
    handler: () => {
      throw new Error('inner words')
    },
  }),
  route({
    method: 'GET',
    path: '/broken-later',
    summary: 'Broken',
    allow: 'public',
    replies: { 200: Type.Unknown() },
    handler: () => Promise.reject(new Error('inner words')),
  }),
  route({
    method: 'GET',
    path: '/drift',
    summary: 'Drift',
    allow: 'public',
    replies: { 200: Type.Object({ id: Type.String() }) },
    handler: () => ({ id: 7 }) as never,
  }),
  route({
    ...{ method: 'GET', path: '/stuck', summary: 'Declared', allow: 'public' },
    replies: { 200: Type.Unknown() },
    handler: () => {
      throw errors.stuck({ detail: 'A branch is in it.', extra: { branch: 'oak' } })
    },
  }),
  rawRoute({
    ...{ methods: ['GET', 'POST', 'OPTIONS'], path: '/raw/*', summary: 'Raw', replies: {} },
    handle: (_app, request, out) =>
      out.send(
        200,
        { 'content-type': 'text/plain' },
        `${request.method} ${request.params['*']} ${request.query} ${request.body.toString()}`,
      ),
  }),
  rawRoute({
    methods: ['GET'],
    path: '/bad-header',
    summary: 'Raw',
    replies: {},
    handle: (_app, _request, out) => out.send(200, { 'x-bad': 'a\nb' }, 'x'),
  }),
  rawRoute({
    methods: ['GET'],
    path: '/raw-fails',
    summary: 'Raw',
    replies: {},
    handle: async () => Promise.reject(new Error('inner words')),
  }),
]

const permissions = {
  'wheels:write': 'member',
  'wheels:stop': 'system_admin',
} as const

let database: TestDatabase
let mill: TestServer

beforeAll(async () => {
  database = await testDatabase()
  mill = await testServer({ database, routes, permissions, env: { MILLRACE_CORS_ORIGINS: 'https://app.example.com' } })
})

afterAll(async () => {
  await mill.close()
  await database.close()
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: { readonly [member: string]: unknown }
}

const call = async (method: string, path: string, headers: { [name: string]: string } = {}, body?: unknown): Promise<Answer> => {
  const json = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
  const response = await fetch(mill.url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...json,
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text.startsWith('{') ? (JSON.parse(text) as { [member: string]: unknown }) : {},
  }
}

const ann = { authorization: 'Bearer ann' }

test('a reply holds the fields of its schema and no others, however deep', async () => {
  const { status, body } = await call('GET', '/api/v1/wheels/w1', ann)
  expect(status).toBe(200)
  expect(body).toEqual({ id: 'w1', name: 'Big', spokes: [{ length_mm: 7 }], owner: { name: 'Ann' } })
})

test('a path of fixed words is found before one with a parameter', async () => {
  expect((await call('GET', '/api/v1/wheels/newest')).body).toEqual({ fixed: true })
  const put = await call('PUT', '/api/v1/wheels/newest', ann, { name: 'x' })
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
})

test('an error is a problem document with all its members', async () => {
  const { status, headers, body } = await call('GET', '/api/v1/stuck', {
    'x-request-id': 'from-outside.1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  })
  expect(status).toBe(409)
  expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
  expect(headers.get('x-request-id')).toBe('from-outside.1')
  expect(body).toEqual({
    type: `${mill.url}/docs/errors/mill.stuck`,
    ...{ title: 'The wheel is stuck', status: 409, detail: 'A branch is in it.', instance: '/api/v1/stuck', code: 'mill.stuck' },
    ...{ request_id: 'from-outside.1', trace_id: '0af7651916cd43dd8448eb211c80319c', branch: 'oak' },
    ...{ success: false, error: 'A branch is in it.', error_type: 'mill.stuck', status_code: 409, path: '/api/v1/stuck', method: 'GET' },
  })
})

test('the type of a problem leads to its page', async () => {
  const { body } = await call('GET', '/api/v1/nothing')
  const page = await fetch(body['type'] as string)
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('http.not_found')])
})

test('an unexpected error says nothing of the inside, and its cause is in the log under the request id', async () => {
  for (const path of ['/api/v1/broken', '/api/v1/broken-later', '/raw-fails']) {
    const { status, text, body } = await call('GET', path)
    expect([status, body['code']]).toEqual([500, 'internal.unexpected'])
    expect(text).not.toContain('inner words')
    const line = mill.log().find((one) => one['request_id'] === body['request_id'] && one['msg'] === 'request failed')
    expect(JSON.stringify(line)).toContain('inner words')
  }
})

test('a reply that does not fit its schema is our failure where replies are checked', async () => {
  expect((await call('GET', '/api/v1/drift')).status).toBe(500)
})

test('nobody is let in without signing in, and a role only where it is enough', async () => {
  const codes = async (authorization?: string) => {
    const headers: { [name: string]: string } = authorization === undefined ? {} : { authorization }
    const write = await call('POST', '/api/v1/wheels', headers, { name: 'x' })
    const stop = await call('POST', '/api/v1/wheels/stop', headers)
    return [write.status, write.body['code'], stop.status]
  }
  expect(await codes()).toEqual([401, 'http.unauthenticated', 401])
  expect(await codes('Basic YTpi')).toEqual([401, 'http.unauthenticated', 401])
  expect(await codes('Bearer ann/viewer')).toEqual([403, 'http.forbidden', 403])
  expect(await codes('Bearer ann/member')).toEqual([201, undefined, 403])
  expect(await codes('Bearer ann/owner')).toEqual([201, undefined, 403])
  expect(await codes('bearer ann/viewer/enterprise/admin')).toEqual([403, 'http.forbidden', 204])
  expect((await call('POST', '/api/v1/wheels/stop')).headers.get('www-authenticate')).toBe('Bearer')
})

test('a permission is refused before the body is looked at', async () => {
  expect((await call('POST', '/api/v1/wheels', { authorization: 'Bearer ann/viewer' }, '{broken')).status).toBe(403)
})

test('an outdated token does not shut its holder out of what is public', async () => {
  expect((await call('GET', '/api/v1/who', { authorization: 'Bearer expired' })).body).toMatchObject({ type: 'anonymous' })
  expect((await call('GET', '/api/v1/who', { authorization: 'Bearer ann', 'x-workspace-id': 'w' })).body).toMatchObject({
    type: 'user',
    workspace_id: 'w',
  })
  expect((await call('GET', '/api/v1/wheels/w1', { authorization: 'Bearer expired' })).status).toBe(401)
})

test('every mistake in a body is named with its place', async () => {
  const { status, body } = await call('POST', '/api/v1/wheels', ann, { name: '', size: '4', kind: 'sideways', colour: 'red' })
  expect([status, body['code']]).toEqual([422, 'http.validation_failed'])
  const places = Object.fromEntries((body['errors'] as { path: string; message: string }[]).map(({ path, message }) => [path, message]))
  expect(Object.keys(places).toSorted()).toEqual(['colour', 'kind', 'name', 'size'])
  expect(places).toMatchObject({ colour: 'is not a known field', kind: 'must be one of "over", "under"' })
  expect((await call('POST', '/api/v1/wheels', ann)).body['errors']).toEqual([{ path: 'name', message: 'is required' }])
})

test('defaults are filled in and nothing is converted in a body', async () => {
  expect((await call('POST', '/api/v1/wheels', ann, { name: 'x' })).body).toEqual({ name: 'x', size: 4 })
  expect((await call('POST', '/api/v1/wheels', ann, { name: 7 })).status).toBe(422)
})

test('a query is converted by its schema: false is false, one value makes a list, the rest is refused', async () => {
  expect((await call('GET', '/api/v1/echo?flag=false&limit=7&tag=a')).body).toEqual({ flag: false, limit: 7, tag: ['a'] })
  expect((await call('GET', '/api/v1/echo?tag=a&tag=b&search=a%20b+c')).body).toEqual({ limit: 50, tag: ['a', 'b'], search: 'a b c' })
  for (const query of [
    'limit=0',
    'limit=201',
    'limit=7x',
    'limit=1e1',
    'limit=1&limit=2',
    'flag=1',
    'flag',
    'nothing=1',
    'search=a&search=b',
    '__proto__=1',
    'search=%00',
    'limit=',
  ]) {
    expect([query, (await call('GET', `/api/v1/echo?${query}`)).status]).toEqual([query, 422])
  }
  expect((await call('GET', '/api/v1/echo?search=%zz')).status).toBe(400)
  expect((await call('GET', '/api/v1/who?x=1')).body['errors']).toEqual([{ path: 'x', message: 'is not a known field' }])
})

test('a single object has an ETag, and is not sent again to who has it', async () => {
  const { headers } = await call('GET', '/api/v1/wheels/w1', ann)
  expect([headers.get('etag'), headers.get('cache-control')]).toEqual(['"3"', 'no-store'])
  const again = await call('GET', '/api/v1/wheels/w1', { ...ann, 'if-none-match': 'W/"2", "3"' })
  expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', '"3"'])
  expect((await call('GET', '/api/v1/wheels/w1', { ...ann, 'if-none-match': '"2"' })).status).toBe(200)
  expect((await call('GET', '/api/v1/wheels/w1', { ...ann, 'if-match': '"2"' })).status).toBe(412)
})

test('a change that needs the last ETag asks for it, and hands the revision on', async () => {
  const put = (headers: { [name: string]: string }) => call('PUT', '/api/v1/wheels/w1', { ...ann, ...headers }, { name: 'x' })
  const missing = await put({})
  expect([missing.status, missing.body['code']]).toEqual([428, 'http.precondition_required'])
  expect((await put({ 'if-match': '"12"' })).body).toEqual({ if_match: 12 })
  expect((await put({ 'if-match': '"1", "12"' })).body).toEqual({ if_match: 12 })
  expect((await put({ 'if-match': '*' })).body).toEqual({ if_match: null })
  for (const stale of ['W/"12"', '"abc"', 'nonsense'])
    expect((await put({ 'if-match': stale })).body['code']).toBe('http.precondition_failed')
})

test('HEAD answers what GET would, without a body', async () => {
  const get = await call('GET', '/api/v1/wheels/w1', ann)
  const head = await call('HEAD', '/api/v1/wheels/w1', ann)
  expect([head.status, head.text, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([
    200,
    '',
    String(get.text.length),
    '"3"',
  ])
  expect((await call('HEAD', '/api/v1/nothing')).status).toBe(404)
  expect((await call('HEAD', '/api/v1/wheels')).status).toBe(405)
})

test('OPTIONS and 405 name the methods of a path, and of that path alone', async () => {
  const options = await call('OPTIONS', '/api/v1/wheels/abc')
  expect([options.status, options.headers.get('allow'), options.text]).toEqual([204, 'GET, HEAD, OPTIONS, PUT', ''])
  const other = await call('DELETE', '/api/v1/wheels')
  expect([other.status, other.headers.get('allow'), other.body['code']]).toEqual([405, 'OPTIONS, POST', 'http.method_not_allowed'])
  const exotic = await call('PROPFIND', '/api/v1/wheels/abc')
  expect([exotic.status, exotic.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS, PUT'])
  for (const method of ['OPTIONS', 'PROPFIND', 'DELETE'])
    expect([method, (await call(method, '/api/v1/nothing')).status]).toEqual([method, 404])
})

test('a page of an allowed origin may call, and no other', async () => {
  const preflight = (origin: string) => call('OPTIONS', '/api/v1/wheels', { origin, 'access-control-request-method': 'POST' })
  const allowed = await preflight('https://app.example.com')
  expect([allowed.status, allowed.headers.get('access-control-allow-origin'), allowed.headers.get('access-control-allow-methods')]).toEqual(
    [204, 'https://app.example.com', 'OPTIONS, POST'],
  )
  const foreign = await preflight('https://evil.example')
  expect([
    foreign.headers.get('access-control-allow-origin'),
    foreign.headers.get('access-control-allow-methods'),
    foreign.headers.get('vary'),
  ]).toEqual([null, null, 'origin'])
  const failed = await call('GET', '/api/v1/stuck', { origin: 'https://app.example.com' })
  expect(failed.headers.get('access-control-allow-origin')).toBe('https://app.example.com')
})

test('every reply carries a request id and the security headers', async () => {
  for (const path of ['/api/v1/who', '/api/v1/nothing', '/raw/a', '/openapi.json']) {
    const { headers } = await call('GET', path, { 'x-request-id': 'not safe!' })
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect([headers.get('x-content-type-options'), headers.get('referrer-policy'), headers.get('content-security-policy')]).toEqual([
      'nosniff',
      'no-referrer',
      expect.stringContaining("frame-ancestors 'none'"),
    ])
  }
})

test('a cookie is set for this site alone, and read back', async () => {
  expect((await call('POST', '/api/v1/cookie')).headers.get('set-cookie')).toBe(
    'mill=a%20b; Path=/api; Max-Age=60; HttpOnly; SameSite=Strict',
  )
  expect((await call('GET', '/api/v1/who', { cookie: 'other=1; mill=a%20b; mill=second' })).body).toMatchObject({ cookie: 'a b' })
})

test('a raw route gets the request as it was sent, for the methods it names', async () => {
  expect((await call('POST', '/raw/a/b%20c?x=1&x', { 'content-type': 'nonsense' }, '{not json')).text).toBe('POST a/b c x=1&x {not json')
  expect((await call('OPTIONS', '/raw/a')).text).toBe('OPTIONS a  ')
  const head = await call('HEAD', '/raw/a')
  expect([head.status, head.text]).toEqual([200, ''])
  const other = await call('DELETE', '/raw/a')
  expect([other.status, other.headers.get('allow'), other.body['code']]).toEqual([
    405,
    'GET, HEAD, OPTIONS, POST',
    'http.method_not_allowed',
  ])
})

test('a header that HTTP cannot carry becomes a problem and no broken reply', async () => {
  const { status, body } = await call('GET', '/bad-header')
  expect([status, body['code']]).toEqual([500, 'internal.unexpected'])
})

test('a request is logged once, with its route and without its query', async () => {
  const { headers } = await call('GET', '/api/v1/echo?search=hidden-word')
  const lines = mill.log().filter((line) => line['request_id'] === headers.get('x-request-id'))
  expect(lines).toMatchObject([{ msg: 'request', method: 'GET', path: '/api/v1/echo', route: '/api/v1/echo', status: 200 }])
  expect(JSON.stringify(lines)).not.toContain('hidden-word')
})

test('requests are counted by route, not by path', async () => {
  await call('GET', '/api/v1/wheels/w7', ann)
  const figures = await mill.app.metrics.registry.metrics()
  expect(figures).toMatch(
    /millrace_http_request_duration_seconds_count\{method="GET",route="\/api\/v1\/wheels\/\{id\}",status="200"\} [1-9]/,
  )
  expect(figures).not.toContain('w7')
  expect(figures).toMatch(/millrace_http_requests_in_flight 0\n/)
})

test('two routes for one method and path are a mistake found at boot, and so is an undeclared permission', async () => {
  const one = route({ method: 'GET', path: '/a/{id}', summary: '', allow: 'public', replies: { 200: Type.Unknown() }, handler: () => null })
  const same = route({
    method: 'GET',
    path: '/a/{name}',
    summary: '',
    allow: 'public',
    replies: { 200: Type.Unknown() },
    handler: () => null,
  })
  await expect(testServer({ database, routes: [one, same] })).rejects.toThrow('Two routes answer GET /api/v1/a/:name')
  await expect(testServer({ database, routes: [{ ...one, allow: 'a:b' }] })).rejects.toThrow("No module declares the permission 'a:b'")
})

test('an https address outside turns on what a browser needs for it, and names the types of problems', async () => {
  const outside = await testServer({ database, routes, permissions, env: { PUBLIC_URL: 'https://mill.example/' } })
  const cookie = await fetch(`${outside.url}/api/v1/cookie`, { method: 'POST' })
  const problem = (await (await fetch(`${outside.url}/api/v1/nothing`, { headers: { 'x-forwarded-host': 'evil.example' } })).json()) as {
    type: string
  }
  await outside.close()
  expect(cookie.headers.get('set-cookie')).toContain('; Secure')
  expect(cookie.headers.get('strict-transport-security')).toMatch(/^max-age=\d{8}/)
  expect(problem.type).toBe('https://mill.example/docs/errors/http.not_found')
  expect((await fetch(`${mill.url}/api/v1/nothing`)).headers.get('strict-transport-security')).toBeNull()
})
