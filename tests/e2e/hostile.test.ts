import { connect } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { sessionCache } from '../../server/src/modules/identity/services.ts'
import { publish, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { type Call, testApp, type TestReply, type TestRequest } from '../../server/src/test-app.ts'
import {
  each,
  expectNoFault,
  expectProblem,
  fromAnywhere,
  oneOf,
  isApi,
  type Operation,
  operationsOf,
  pathOf,
  rowCounts,
  type Schema,
  statusesIn,
} from './attack.ts'

const mill = await testApp()
afterAll(mill.close)

const ada = await mill.register('ada')
const workflow_id = await publish(ada, webhookDefinition('grist'))
const operations = await operationsOf(mill)
const nobody = fromAnywhere(mill.call)
// Some routes take a few calls an hour of one person.
const crowd: Call[] = []
while (crowd.length < 60) {
  const { id, call } = await mill.register()
  // In ada's workspace too, past the front door, which is why what this process has in memory is emptied.
  await mill.database.owner`
    insert into workspace_members (workspace_id, user_id, role, created_at)
    values (${ada.workspace_id}, ${id}, 'owner', now())`
  crowd.push(call)
}
mill.app.use(sessionCache).clear()
const someone = fromAnywhere(oneOf([ada.call, ...crowd]))
const admin = await mill.admin()
const bosses = [admin.call]
while (bosses.length < 20) {
  const { id, call } = await mill.register()
  expect((await admin.call('PUT', `/api/v1/users/admin/users/${id}/role`, { body: { role: 'admin' } })).status).toBe(200)
  bosses.push(call)
}
const boss = fromAnywhere(oneOf(bosses))
const api = operations.filter(isApi)
const withBody = api.filter(({ body }) => body !== null)

const callerOf = ({ is_public, admins_only }: Operation) => (is_public ? nobody : admins_only ? boss : someone)

/** Sends a request that must be refused. */
const refused = async (operation: Operation, path: string, request: TestRequest, what: string): Promise<TestReply> => {
  const reply = await callerOf(operation)(operation.method, path, request)
  expectProblem(reply, `${operation.name} with ${what}`)
  return reply
}

/** Whatever happens in it, the tables hold as many rows afterwards as before. */
const leavingNoTrace = async (work: () => Promise<void>): Promise<void> => {
  const before = await rowCounts(mill)
  expect(Object.keys(before).length).toBeGreaterThan(10)
  await work()
  expect(await rowCounts(mill)).toEqual(before)
}

/** Its own objects where a path asks for one, so that what is refused is not refused for want of one. */
const own = { id: workflow_id, version: '1', workspace: 'ada', rest: 'grist', code: 'http.not_found', verb: 'cancel' }
const ownPathOf = (operation: Operation): string =>
  pathOf(operation, operation.path.includes('/workspaces/{id}') ? { ...own, id: ada.workspace_id } : own)
const hasIfMatch = ({ parameters }: Operation): boolean => parameters.some(({ name }) => name === 'If-Match')
const fresh = (operation: Operation) => (hasIfMatch(operation) ? { 'if-match': '*' } : undefined)
const sending = (operation: Operation, body: unknown, headers = {}): TestRequest => ({ body, headers: { ...fresh(operation), ...headers } })

test('the description names every kind of route, so that the tests below are about something', () => {
  expect(api.length).toBeGreaterThan(30)
  expect(withBody.length).toBeGreaterThan(7)
  expect(api.filter(({ is_public }) => is_public).length).toBeGreaterThan(5)
})

test('a body that is no JSON, or JSON of the wrong kind, is refused by every route that takes one', async () => {
  const deep = `${'{"a":['.repeat(10_000)}1${']}'.repeat(10_000)}`
  const bodies: readonly (readonly [string, string | Buffer])[] = [
    ['half an object', '{"email":'],
    ['a word', 'undefined'],
    ['single quotes', "{'a':1}"],
    ['two values', '{}{}'],
    ['a trailing comma', '{"a":1,}'],
    ['a comment', '{/**/}'],
    ['NaN', '{"a":NaN}'],
    ['a byte order mark', '\ufeff{}'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['a zip', Buffer.from('504b0304140000000800', 'hex')],
    ['10,000 levels', deep],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['a number', '1e400'],
    ['null', 'null'],
    ['true', 'true'],
    ['a NUL in a name', '{"a\\u0000b":1}'],
    ['half a surrogate pair', '{"\\ud800":1}'],
    ['__proto__', '{"__proto__":{"role":"admin"}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"role":"admin"}}}'],
    ['toString', '{"toString":1,"hasOwnProperty":2,"valueOf":3}'],
    ['60,000 fields', `{${Array.from({ length: 60_000 }, (_, index) => `"f${index}":1`).join()}}`],
  ]
  await leavingNoTrace(() =>
    each(
      withBody.flatMap((operation) => bodies.map(([what, body]) => ({ operation, what, body }))),
      async ({ operation, what, body }) => void (await refused(operation, ownPathOf(operation), sending(operation, body), what)),
    ),
  )
})

test('a body in another form than JSON is refused by every route that takes one', async () => {
  const types = [
    'text/plain',
    'text/html',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/json; charset=utf-16',
    'application/json, text/plain',
    'json',
    '/',
    `application/${'j'.repeat(8_000)}`,
  ]
  const others = [{ 'content-encoding': 'gzip' }, { 'content-encoding': 'br, identity' }]
  const headers = [...types.map((type) => ({ 'content-type': type })), ...others]
  await leavingNoTrace(() =>
    each(
      withBody.flatMap((operation) => headers.map((header) => ({ operation, header }))),
      async ({ operation, header }) => {
        const reply = await refused(
          operation,
          ownPathOf(operation),
          sending(operation, '{"email":"a@b.example"}', header),
          JSON.stringify(header),
        )
        expect(reply.status, `${operation.name} ${JSON.stringify(header)}`).toBe(415)
      },
    ),
  )
})

/** Values that no field of this schema takes. */
const wrongFor = (schema: Schema): readonly unknown[] => {
  const kinds = new Set(kindsOf(schema))
  if (kinds.has('anything')) return []
  const values: readonly (readonly [string, unknown])[] = [
    ['string', 'x'],
    ['number', 7],
    ['number', 2 ** 63],
    ['boolean', true],
    ['null', null],
    ['array', []],
    ['array', [[[]]]],
    ['object', { $gt: '' }],
  ]
  const wrong = values.filter(([kind]) => !kinds.has(kind)).map(([, value]) => value)
  return kinds.has('string') ? [...wrong, 'nul\u0000', 'x'.repeat(1_000_000)] : wrong
}

const kindsOf = (schema: Schema): readonly string[] => {
  if (Array.isArray(schema['anyOf'])) return schema['anyOf'].flatMap((branch: Schema) => kindsOf(branch))
  if (schema['const'] !== undefined) return [schema['const'] === null ? 'null' : typeof schema['const']]
  if (schema['type'] === undefined) return ['anything']
  return schema['type'] === 'integer' ? ['number'] : [schema['type'] as string]
}

const propertiesOf = (schema: Schema): readonly (readonly [string, Schema])[] =>
  Object.entries((schema['properties'] ?? {}) as { [name: string]: Schema })

test('a value of the wrong type is refused in every field of every body', async () => {
  const cases = withBody.flatMap((operation) =>
    propertiesOf(operation.body as Schema).flatMap(([field, schema]) => wrongFor(schema).map((value) => ({ operation, field, value }))),
  )
  expect(cases.length).toBeGreaterThan(150)
  await leavingNoTrace(() =>
    each(cases, async ({ operation, field, value }) => {
      const what = `${field} = ${JSON.stringify(value).slice(0, 40)}`
      const { status, body } = await refused(operation, ownPathOf(operation), sending(operation, { [field]: value }), what)
      if (status === 413) return expect([what, JSON.stringify(value).length > 100_000]).toEqual([what, true])
      expect([status, what, body.errors?.map(({ path }: { path: string }) => path.split('.')[0])], operation.name).toEqual([
        422,
        what,
        expect.arrayContaining([field]),
      ])
    }),
  )
})

test('a field that a route does not know is refused, also one that would make its sender an owner', async () => {
  const fields = [
    'role',
    'plan',
    'is_active',
    'email_verified',
    'user_id',
    'owner_id',
    'workspace_id',
    'created_by',
    'id',
    'revision',
    'status',
    'version',
    'admin',
    'settings.role',
    'x-y',
    '',
  ]
  const cases = api
    .filter(({ method }) => method === 'POST' || method === 'PUT' || method === 'PATCH')
    // Whoever has no secret for the one, as here, has no such address; the other takes files of other systems, and says what it leaves out.
    .filter(({ path }) => path !== '/api/v1/webhooks/user-registered' && path !== '/api/v1/workflows/import')
    .flatMap((operation) => {
      const known = new Set(propertiesOf(operation.body ?? {}).map(([name]) => name))
      return fields.filter((field) => !known.has(field)).map((field) => ({ operation, field }))
    })
  await leavingNoTrace(() =>
    each(cases, async ({ operation, field }) => {
      const reply = await refused(
        operation,
        ownPathOf(operation),
        sending(operation, { ...validFor(operation), [field]: 'admin' }),
        `the field "${field}"`,
      )
      expect([operation.name, field, reply.status]).toEqual([operation.name, field, 422])
      expect(reply.body.errors.map(({ path }: { path: string }) => path)).toContain(field)
    }),
  )
})

/** A body that the route would take. */
const validFor = ({ name, body }: Operation): object => {
  if (name.endsWith('/auth/register')) return { email: 'eve@example.org', password: 'a mill turns on water' }
  if (name.endsWith('/auth/login')) return { email: ada.email, password: ada.password }
  if (name.endsWith('/auth/setup')) return { token: 'mlrs_x', email: 'eve@example.org', password: 'a mill turns on water' }
  if (name === 'POST /api/v1/workflows') return { name: 'A workflow', definition: { nodes: [], edges: [] } }
  if (name.endsWith('/users/profile') || name.startsWith('PUT /api/v1/workflows/')) return { name: 'Eve' }
  return (body?.['required'] as readonly string[] | undefined)?.includes('is_active') === true ? { is_active: true } : {}
}

const strings = [
  '',
  ' ',
  "' or '1'='1",
  "'; drop table users; --",
  '") or 1=1 --',
  '$1',
  '${7*7}{{7*7}}',
  '%00',
  '%',
  '\\',
  '../../../../etc/passwd',
  '%2e%2e%2f',
  '<script>alert(1)</script>',
  '😀🏴‍☠️é\u202e',
  '-1',
  '1e400',
  '-0',
  '9223372036854775808',
  'null',
  '[object Object]',
  '__proto__',
  'constructor',
  '0x10',
  ' 1',
  '1;2',
  '2026-13-45T99:99:99Z',
  '+292278994-08-17T07:12:55.807Z',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  'x'.repeat(1_900),
]

test('no text in a path gives more than a refusal', async () => {
  const cases = operations
    .filter(({ path }) => path.includes('{'))
    .flatMap((operation) =>
      operation.parameters.filter((one) => one.in === 'path').flatMap(({ name }) => strings.map((text) => ({ operation, name, text }))),
    )
  expect(cases.length).toBeGreaterThan(400)
  await leavingNoTrace(() =>
    each(cases, async ({ operation, name, text }) => {
      const path = pathOf(operation, { [name]: encodeURIComponent(text) })
      const reply = await callerOf(operation)(
        operation.method,
        path,
        sending(operation, operation.body === null ? undefined : validFor(operation)),
      )
      if (operation.method === 'HEAD' || operation.path === '/docs/errors/{code}') return expect(reply.status).toBeLessThan(500)
      expectProblem(reply, `${operation.name} with ${name} = ${text.slice(0, 60)}`)
    }),
  )
})

test('no text in a query gives more than a refusal', async () => {
  const cases = api.flatMap((operation) =>
    operation.parameters.filter((one) => one.in === 'query').flatMap(({ name }) => strings.map((text) => ({ operation, name, text }))),
  )
  expect(cases.length).toBeGreaterThan(800)
  await leavingNoTrace(() =>
    each(cases, async ({ operation, name, text }) => {
      const path = `${pathOf(operation, { version: '1' })}?${name}=${encodeURIComponent(text)}`
      expectNoFault(await callerOf(operation)(operation.method, path), `${operation.name} with ${name} = ${text.slice(0, 60)}`)
    }),
  )
})

test('a query that is broken, unknown or says a thing twice is refused by every route', async () => {
  const queries = ['x=1', 'x', '%zz=1', 'x=%', 'x=%ff', '%00=1', '__proto__=1', 'constructor[prototype]=1', 'x=1&x=2', '=']
  const twice = [
    'limit=1&limit=2',
    'order=asc&order=desc',
    'cursor=a&cursor=b',
    'all=true&all=false',
    'payloads=true&payloads=true',
    'total=true&total=',
  ]
  const cursors = [
    'cursor=',
    'cursor=x',
    'cursor=bnVsbA',
    'cursor=W10',
    'cursor=eyJhIjoxfQ',
    `cursor=${'A'.repeat(2_001)}`,
    'cursor=IjE7IGRyb3AgdGFibGUgdXNlcnM7Ig',
  ]
  const cases = api.flatMap((operation) => [...queries, ...twice, ...cursors].map((query) => ({ operation, query })))
  await leavingNoTrace(() =>
    each(cases, async ({ operation, query }) => {
      const body = operation.body === null ? undefined : validFor(operation)
      const reply = await callerOf(operation)(operation.method, `${ownPathOf(operation)}?${query}`, sending(operation, body))
      // A cursor is a key of the list; where that is text, any text is one.
      if (cursors.includes(query) && operation.method === 'GET') expectNoFault(reply, `${operation.name} with ?${query}`)
      else expectProblem(reply, `${operation.name} with ?${query}`)
    }),
  )
})

test('headers that nobody would send are ignored or refused', async () => {
  const long = 'x'.repeat(8_000)
  const headers: readonly { readonly [name: string]: string }[] = [
    { 'if-match': '"' },
    { 'if-match': 'W/"1"' },
    { 'if-match': '"-1"' },
    { 'if-match': '"99999999999999999999"' },
    { 'if-match': Array.from({ length: 900 }, (_, index) => `"${index}"`).join() },
    { 'if-none-match': '"' },
    { 'if-none-match': `${'W/'.repeat(2_000)}"1"` },
    { 'if-modified-since': 'never' },
    { range: 'bytes=-1-' },
    { range: `bytes=${'0-1,'.repeat(1_500)}5-` },
    { 'idempotency-key': '' },
    { 'idempotency-key': '""' },
    { 'idempotency-key': 'é' },
    { 'idempotency-key': '"a"; drop' },
    { 'idempotency-key': long },
    { traceparent: '00-00000000000000000000000000000000-0000000000000000-00' },
    { traceparent: long },
    { tracestate: long },
    { 'x-request-id': '' },
    { 'x-request-id': '<script>' },
    { 'x-request-id': long },
    { 'x-workspace-id': '' },
    { 'x-workspace-id': '../' },
    { 'x-workspace-id': "' or 1=1" },
    { authorization: '' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer  ' },
    { authorization: `Bearer ${long}` },
    { authorization: 'Bearer a.b.c' },
    { authorization: 'Basic YTpi' },
    { 'x-api-key': long },
    { cookie: `millrace_refresh=${long}` },
    { cookie: 'millrace_refresh=%' },
    { cookie: ';;;==;__proto__=1' },
    { origin: 'null' },
    { accept: long },
    { 'accept-encoding': '*;q=0' },
    { 'accept-language': long },
    { forwarded: 'for=;;;' },
    { 'x-forwarded-for': ',,,' },
    { 'x-forwarded-for': '<script>, ::1%eth0, 999.999.999.999' },
    { 'x-forwarded-host': 'evil.example' },
    { 'x-http-method-override': 'DELETE' },
    { 'content-type': 'application/json', 'content-length': '0' },
    { 'user-agent': long },
    { te: 'trailers' },
    { prefer: 'respond-async' },
  ]
  // What nothing has the id of, nothing can happen to; what needs to be told nothing does happen.
  const cases = operations
    .filter(({ method, path, body }) => method !== 'POST' || body !== null || path.includes('{'))
    .flatMap((operation) => headers.map((header) => ({ operation, header })))
  await leavingNoTrace(() =>
    each(cases, async ({ operation, header }) => {
      const body = operation.body === null || 'content-length' in header ? undefined : {}
      const reply = await callerOf(operation)(operation.method, pathOf(operation), { body, headers: header })
      expectNoFault(reply, `${operation.name} with ${JSON.stringify(header).slice(0, 80)}`)
      expect(JSON.stringify([...reply.headers, reply.body])).not.toContain('evil.example')
    }),
  )
})

test('a method that a path does not take is refused with those that it does', async () => {
  const paths = Map.groupBy(operations, ({ path }) => path)
  await leavingNoTrace(() =>
    each([...paths], async ([path, there]) => {
      const [operation] = there as [Operation]
      if (path.startsWith('/hooks/')) return
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'QUERY', 'TRACE'].filter((one) =>
        there.every((known) => known.method !== one),
      )) {
        // The client refuses to send TRACE.
        if (method === 'TRACE') continue
        const reply = await someone(method, ownPathOf(operation))
        expectProblem(reply, `${method} ${path}`)
        expect([method, path, reply.status]).toEqual([method, path, 405])
        expect(reply.headers.get('allow')?.split(', ')).toEqual(expect.arrayContaining(there.map((known) => known.method)))
      }
      const options = await someone('OPTIONS', ownPathOf(operation))
      expect([path, options.status, options.body]).toEqual([path, 204, null])
    }),
  )
})

test('numbers and texts at the edge of what there is are stored as they were sent, or refused', async () => {
  const put = (text: string) => ada.call('PUT', '/api/v1/users/profile', { body: text })
  for (const number of ['1e400', '-1e400', `1${'0'.repeat(400)}`]) {
    expectProblem(await put(`{"settings":{"n":${number}}}`), `settings.n = ${number.slice(0, 20)}`)
  }
  for (const settings of [
    '{"n":-0.0}',
    '{"n":5e-324}',
    '{"n":1.7976931348623157e308}',
    '{"a":{"b":[null,true,"😀\\u202e"]}}',
    '{"constructor":"Smith & Sons"}',
    '{"toString":{}}',
    '{"":{"":""}}',
  ]) {
    const reply = await put(`{"settings":${settings}}`)
    expect([settings, reply.status]).toEqual([settings, 200])
    expect(JSON.stringify(reply.body.settings)).toBe(JSON.stringify(JSON.parse(settings)))
    expect((await ada.call('GET', '/api/v1/users/profile')).body.settings).toEqual(reply.body.settings)
  }
})

test('text of any kind is given back as it was stored', async () => {
  const texts = strings.filter((text) => text.trim() !== '' && text.length <= 200)
  for (const text of texts) {
    const made = await ada.call('POST', '/api/v1/workflows', {
      body: { name: text, description: text, definition: { nodes: [], edges: [] }, tags: [text.slice(0, 50)] },
    })
    expect([text, made.status]).toEqual([text, 201])
    const found = await ada.call('GET', `/api/v1/workflows?search=${encodeURIComponent(text)}&tag=${encodeURIComponent(text.slice(0, 50))}`)
    expect(found.body.items).toMatchObject([{ name: text, description: text, tags: [text.slice(0, 50)] }])
    expect((await ada.call('DELETE', `/api/v1/workflows/${made.body.id}`)).status).toBe(204)
  }
})

test('a connection that was refused many bodies keeps nothing of them', async () => {
  const warnings: string[] = []
  const note = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', note)
  const socket = connect(Number(new URL(mill.url).port), '127.0.0.1')
  let got = ''
  const answered = new Promise<void>((resolve, reject) => {
    socket.on('error', reject).on('data', (chunk) => {
      got += chunk.toString()
      if (statusesIn(got).length === 50) resolve()
    })
  })
  const body = 'x'.repeat(20_000)
  socket.write(`POST /api/v1/auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`.repeat(50))
  await answered
  expect(new Set(statusesIn(got))).toEqual(new Set([413]))
  socket.destroy()
  process.off('warning', note)
  expect(warnings.filter((text) => text.includes('listeners added'))).toEqual([])
})
