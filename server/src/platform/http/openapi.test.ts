import { Type } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineErrors } from '../errors.ts'
import { type TestDatabase, testDatabase } from '../testing/test-database.ts'
import { permissionsFrom } from '../testing/permissions.ts'
import { type TestServer, testServer } from '../testing/test-server.ts'
import { openApiOf } from './openapi.ts'
import { pageOf, pageQuery } from './paging.ts'
import { rawRoute, route } from './route.ts'

const errors = defineErrors('wheels', { stuck: { status: 409, title: 'The wheel is stuck' } })
const Wheel = Type.Object({ id: Type.String({ format: 'uuid' }), name: Type.String() }, { title: 'Wheel' })
const WheelPath = Type.Object({ id: Type.String({ format: 'uuid', description: 'Of the wheel.' }) })

const routes = [
  route({
    method: 'GET',
    path: '/wheels',
    summary: 'List',
    allow: 'wheels:read',
    query: Type.Object({ ...pageQuery, kind: Type.Optional(Type.String()) }),
    replies: { 200: pageOf(Wheel) },
    handler: () => ({ items: [], next_cursor: null }),
  }),
  route({
    method: 'POST',
    path: '/wheels',
    summary: 'New',
    allow: 'wheels:read',
    body: Type.Object({ name: Type.String(), size: Type.Integer({ default: 4 }) }),
    replies: { 201: Wheel },
    idempotent: true,
    errors: [errors.stuck],
    handler: () => ({ id: '', name: '' }),
  }),
  route({
    method: 'PUT',
    path: '/wheels/{id}',
    summary: 'Change',
    allow: 'wheels:read',
    params: WheelPath,
    body: Type.Object({ name: Type.Optional(Type.String()) }),
    replies: { 200: Wheel },
    etag: true,
    needs_if_match: true,
    handler: () => ({ id: '', name: '' }),
  }),
  route({
    method: 'DELETE',
    path: '/wheels/{id}',
    summary: 'Remove',
    allow: 'signed:in',
    params: WheelPath,
    replies: { 204: Type.Null() },
    handler: () => null,
  }),
  route({
    method: 'GET',
    path: '/ping',
    summary: 'Ping',
    allow: 'public',
    root: true,
    replies: { 200: Type.Object({}) },
    limits: [{ name: 'burst', quota: 5, window_s: 60, per: 'address' }],
    handler: () => ({}),
  }),
  rawRoute({
    methods: ['GET', 'POST'],
    path: '/hooks/{workspace}/*',
    summary: 'Hook',
    replies: { 200: { description: 'Done', content_type: 'application/json' } },
    handle: (_app, _request, out) => out.send(200, {}, null),
  }),
]
const permissions = { 'wheels:read': 'viewer' } as const

let database: TestDatabase
let mill: TestServer

beforeAll(async () => {
  database = await testDatabase()
  mill = await testServer({ database, routes, permissions })
})

afterAll(async () => {
  await mill.close()
  await database.close()
})

// oxlint-disable-next-line typescript/no-explicit-any
const described = async (): Promise<any> => (await fetch(`${mill.url}/openapi.json`)).json()

test('every route is described, at the path it answers on', async () => {
  const { openapi, paths, servers, info } = await described()
  expect([openapi, servers]).toEqual(['3.1.0', [{ url: mill.url }]])
  expect(info).toMatchObject({ title: 'Millrace', version: expect.stringMatching(/^\d+\.\d+\.\d+/) })
  const operations = Object.entries<object>(paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path}`))
  expect(operations).toEqual(
    expect.arrayContaining([
      'get /api/v1/wheels',
      'post /api/v1/wheels',
      'put /api/v1/wheels/{id}',
      'delete /api/v1/wheels/{id}',
      'get /ping',
      'get /hooks/{workspace}/{rest}',
      'post /hooks/{workspace}/{rest}',
    ]),
  )
})

test('every operation has an id of its own, and every reference leads somewhere', async () => {
  const document = await described()
  const operations = Object.values<object>(document.paths).flatMap((item) => Object.values(item) as { operationId: string }[])
  const ids = operations.map(({ operationId }) => operationId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toContain('putWheelsById')
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path)
  expect(references.length).toBeGreaterThan(5)
  for (const path of references)
    expect(
      path.split('/').reduce((at, name) => at?.[name], document),
      path,
    ).toBeDefined()
})

test('what a route declares is said: who may, parameters, body, replies, problems, limits', async () => {
  const { paths, components } = await described()
  const list = paths['/api/v1/wheels'].get
  expect(list).toMatchObject({
    'x-permission': { name: 'wheels:read', workspace_roles: ['viewer', 'member', 'admin', 'owner'] },
    security: [{ bearer: [] }, { api_key: [] }],
  })
  expect(list.parameters.map(({ name }: { name?: string }) => name)).toEqual(['limit', 'cursor', 'order', 'total', 'kind', undefined])
  expect(list.parameters[0]).toMatchObject({
    in: 'query',
    required: false,
    schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
  })
  expect(list.responses[200].content['application/json'].schema.properties.items.items).toEqual({ $ref: '#/components/schemas/Wheel' })
  expect(components.schemas.Wheel.properties).toHaveProperty('name')
  const create = paths['/api/v1/wheels'].post
  expect(create.requestBody.content['application/json'].schema).toMatchObject({ required: ['name'], additionalProperties: false })
  expect(Object.keys(create.responses)).toEqual(['201', '400', '401', '403', '409', '413', '415', '422', '429', '500', '503'])
  expect(create.responses[409].description).toContain('`wheels.stuck`')
  expect(create.responses[409].content['application/problem+json'].schema).toEqual({ $ref: '#/components/schemas/Problem' })
  const change = paths['/api/v1/wheels/{id}'].put
  expect(change.parameters).toEqual([
    { name: 'id', in: 'path', required: true, description: 'Of the wheel.', schema: { type: 'string', format: 'uuid' } },
    { $ref: '#/components/parameters/WorkspaceId' },
    { $ref: '#/components/parameters/IfMatchNeeded' },
  ])
  expect([change.requestBody.required, Object.keys(change.responses)]).toEqual([false, expect.arrayContaining(['412', '428'])])
  const ping = paths['/ping'].get
  expect([ping.security, ping['x-rate-limits']]).toEqual([[], [{ name: 'burst', quota: 5, window_s: 60, per: 'address' }]])
})

test('the same routes give the same text', () => {
  const input = {
    version: '1',
    public_url: 'https://mill.example',
    permissions: permissionsFrom(permissions),
    quotas: null,
    routes: routes.map((one) => ({ route: one, tag: 'wheels' })),
  }
  const once = JSON.stringify(openApiOf(input))
  expect(JSON.stringify(openApiOf({ ...input, routes: input.routes.toReversed() }))).toBe(once)
})

test('the interactive page needs nothing from another origin, and its policy allows nothing from one', async () => {
  const page = await fetch(`${mill.url}/docs`)
  const html = await page.text()
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self' 'sha256-/)
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link)
  expect(links).toEqual(['/docs/swagger-ui.css', 'data:,', '/docs/swagger-ui-bundle.js'])
  const css = await fetch(`${mill.url}${links[0]}`)
  const script = await fetch(`${mill.url}${links[2]}`)
  expect([css.status, css.headers.get('content-type'), script.status, script.headers.get('content-type')]).toEqual([
    200,
    'text/css; charset=utf-8',
    200,
    'text/javascript; charset=utf-8',
  ])
  expect(await css.text()).toContain('.swagger-ui')
  const etag = script.headers.get('etag') as string
  expect((await fetch(`${mill.url}${links[2]}`, { headers: { 'if-none-match': etag } })).status).toBe(304)
})

test('a setting turns the documentation off, and problem types lead to their pages all the same', async () => {
  const quiet = await testServer({ database, routes, permissions, env: { MILLRACE_DOCS: 'false' } })
  const statuses = await Promise.all(
    ['/', '/docs', '/openapi.json', '/docs/swagger-ui.css', '/docs/errors', '/docs/errors/http.not_found'].map(
      async (path) => (await fetch(quiet.url + path)).status,
    ),
  )
  await quiet.close()
  expect(statuses).toEqual([404, 404, 404, 404, 200, 200])
})

test('whoever opens the address that the server prints is led to the documentation', async () => {
  const reply = await fetch(`${mill.url}/`)
  expect([reply.url, reply.status, reply.headers.get('content-type')]).toEqual([`${mill.url}/docs`, 200, 'text/html; charset=utf-8'])
})

test('an error has a page for people and JSON for programs', async () => {
  const html = await (await fetch(`${mill.url}/docs/errors/http.rate_limited`, { headers: { accept: 'text/html' } })).text()
  expect(html).toContain('The quota is exceeded')
  const json = await fetch(`${mill.url}/docs/errors/http.rate_limited`, { headers: { accept: 'application/json' } })
  expect(await json.json()).toMatchObject({ code: 'http.rate_limited', status: 429 })
  expect((await fetch(`${mill.url}/docs/errors/%3Cscript%3E`)).status).toBe(404)
})
