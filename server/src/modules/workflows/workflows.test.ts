import { afterAll, beforeAll, expect, test } from 'vitest'
import { scenario } from '../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../test-app.ts'
import { create, manual, publish, webhookDefinition } from './definitions.testing.ts'

let mill: TestApp
let anna: TestUser
let ben: TestUser

beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
  ben = await mill.register('ben')
})
afterAll(() => mill.close())

const empty = { nodes: [], edges: [] }
const at = (id: string, rest = '') => `/api/v1/workflows/${id}${rest}`

test('a workflow begins as a draft, and comes back as it was written', async () => {
  const definition = {
    nodes: [
      {
        id: 'hook',
        type: 'trigger.webhook',
        config: { path: 'orders', text: 'ü {{ x }}', deep: { b: 1, a: [null] } },
        position: { x: 1.5, y: -2 },
      },
    ],
    edges: [{ from: 'hook', to: 'nowhere' }],
    settings: { timezone: 'Europe/Vienna' },
  }
  const { body, headers } = await scenario(mill, {
    when: () =>
      anna.call('POST', '/api/v1/workflows', { body: { name: 'Orders', description: 'All of them', definition, tags: ['shop', 'b'] } }),
    status: 201,
    body: {
      workspace_id: anna.workspace_id,
      name: 'Orders',
      description: 'All of them',
      status: 'draft',
      version: null,
      tags: ['shop', 'b'],
      created_by: anna.id,
      triggers: [{ node_id: 'hook', type: 'trigger.webhook', url: `${mill.url}/hooks/anna/orders` }],
    },
    events: ['workflows.created'],
  })
  expect(headers.get('etag')).toBe('"1"')
  expect(body.definition).toEqual(definition)
  expect(body.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(body).not.toHaveProperty('revision')

  const read = await anna.call('GET', at(body.id))
  expect(read.status).toBe(200)
  expect(read.body).toEqual({ ...body, last_execution: null, queue: null })
  expect(read.headers.get('etag')).toBe('"1"')
})

test.each<[string, unknown]>([
  ['no name', { definition: empty }],
  ['a blank name', { name: ' ', definition: empty }],
  ['a long name', { name: 'x'.repeat(201), definition: empty }],
  ['a NUL byte in the name', { name: 'a\0b', definition: empty }],
  ['no definition', { name: 'x' }],
  ['a definition that is none', { name: 'x', definition: { nodes: 5 } }],
  ['an unknown field in a node', { name: 'x', definition: { nodes: [{ id: 'a', type: 'b', colour: 'red' }], edges: [] } }],
  ['a node id that is no slug', { name: 'x', definition: { nodes: [{ id: 'a b', type: 'b' }], edges: [] } }],
  ['the same tag twice', { name: 'x', definition: empty, tags: ['a', 'a'] }],
  ['too many tags', { name: 'x', definition: empty, tags: Array.from({ length: 51 }, (_, n) => `t${n}`) }],
  ['an owner of its own choice', { name: 'x', definition: empty, workspace_id: '01a1f88e-0ce8-7005-b005-c97be10db905' }],
  ['a status of its own choice', { name: 'x', definition: empty, status: 'active' }],
  [
    'a definition of more than 2 MiB',
    { name: 'x', definition: { nodes: [{ id: 'a', type: 'b', config: { text: 'x'.repeat(2_097_200) } }], edges: [] } },
  ],
])('%s is refused, and nothing is written', async (_, body) => {
  const reply = await scenario(mill, { when: () => anna.call('POST', '/api/v1/workflows', { body }), status: 422, events: [] })
  expect(reply.headers.get('content-type')).toContain('application/problem+json')
  expect(reply.body.errors.length).toBeGreaterThan(0)
})

test('a draft is changed against its last ETag, field by field', async () => {
  const { id } = await create(anna, empty, { description: 'stays' })
  const put = (headers: { [name: string]: string }, body: object = { name: 'New name' }) => anna.call('PUT', at(id), { body, headers })
  await scenario(mill, { when: () => put({}), status: 428, body: { code: 'http.precondition_required' }, events: [] })
  await scenario(mill, { when: () => put({ 'if-match': '"7"' }), status: 412, body: { code: 'http.precondition_failed' }, events: [] })
  await scenario(mill, { when: () => put({ 'if-match': '"1"' }, {}), status: 422, events: [] })
  const changed = await scenario(mill, {
    when: () => put({ 'if-match': '"1"' }),
    status: 200,
    body: { name: 'New name', description: 'stays', definition: empty },
    events: ['workflows.updated'],
  })
  expect(changed.headers.get('etag')).toBe('"2"')
  await scenario(mill, { when: () => put({ 'if-match': '"1"' }), status: 412, events: [] })
})

test('of two changes against the same ETag one wins', async () => {
  const { id } = await create(anna, empty)
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, n) => anna.call('PUT', at(id), { body: { name: `Change ${n}` }, headers: { 'if-match': '"1"' } })),
  )
  expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 9 }, () => 412)])
})

test('another workspace sees, changes, starts and removes nothing', async () => {
  const id = await publish(anna, webhookDefinition('private'))
  const started = await anna.call('POST', at(id, '/execute'), { body: { wait_ms: 5_000 } })
  const execution = `/api/v1/workflows/executions/${started.body.id}`
  const tries: [string, string, object?][] = [
    ['GET', at(id)],
    ['PUT', at(id), { name: 'mine' }],
    ['DELETE', at(id)],
    ['POST', at(id, '/check')],
    ['POST', at(id, '/publish')],
    ['GET', at(id, '/versions')],
    ['GET', at(id, '/versions/1')],
    ['POST', at(id, '/versions/1/restore')],
    ['POST', at(id, '/pause')],
    ['POST', at(id, '/resume')],
    ['POST', at(id, '/archive')],
    ['POST', at(id, '/execute')],
    ['GET', at(id, '/executions')],
    ['GET', execution],
    ['POST', `${execution}/cancel`],
  ]
  for (const [method, path, body] of tries) {
    const reply = await scenario(mill, {
      when: () => ben.call(method, path, { ...(body && { body }), headers: { 'if-match': '"2"' } }),
      status: 404,
      events: [],
    })
    expect([path, reply.body.code]).toEqual([
      path,
      path === execution || path.endsWith('cancel') ? 'workflows.execution_not_found' : 'workflows.not_found',
    ])
  }
  const listed = await Promise.all(['', '/executions'].map((path) => ben.call('GET', `/api/v1/workflows${path}`)))
  expect(listed.map(({ body }) => body.items)).toEqual([[], []])
  expect((await anna.call('GET', at(id))).body).toMatchObject({ name: 'A workflow', status: 'active', version: 1 })
})

test('nobody gets anywhere without signing in', async () => {
  const id = await publish(anna, webhookDefinition('unseen'))
  for (const [method, path] of [
    ['GET', '/api/v1/workflows'],
    ['POST', '/api/v1/workflows'],
    ['GET', at(id)],
    ['POST', at(id, '/execute')],
    ['GET', '/api/v1/workflows/node-types'],
  ] as const) {
    await scenario(mill, { when: () => mill.call(method, path), status: 401, events: [] })
  }
})

test('a list is filtered, searched and paged', async () => {
  const clara = await mill.register('clara')
  for (const [name, tags] of [
    ['Alpha 100%', ['x']],
    ['beta_1', ['x', 'y']],
    ['Gamma', []],
    ['Delta', ['y']],
  ] as const)
    await create(clara, empty, { name, tags })
  const names = async (query: string) =>
    (await clara.call('GET', `/api/v1/workflows?${query}`)).body.items.map(({ name }: { name: string }) => name)
  expect(await names('')).toEqual(['Delta', 'Gamma', 'beta_1', 'Alpha 100%'])
  expect(await names('order=asc&limit=2')).toEqual(['Alpha 100%', 'beta_1'])
  expect(await names('tag=x')).toEqual(['beta_1', 'Alpha 100%'])
  expect(await names('search=ALPHA')).toEqual(['Alpha 100%'])
  expect(await names('search=0%25')).toEqual(['Alpha 100%'])
  expect(await names('search=%25')).toEqual(['Alpha 100%'])
  expect(await names('search=a_1')).toEqual(['beta_1'])
  expect(await names("search=' or 1=1 --")).toEqual([])
  expect(await names('status=active')).toEqual([])
  expect(await names('status=draft&tag=y')).toEqual(['Delta', 'beta_1'])
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page = await clara.call('GET', `/api/v1/workflows?limit=3&total=true${cursor === '' ? '' : `&cursor=${cursor}`}`)
    expect(page.body.total).toBe(4)
    seen.push(...page.body.items.map(({ name }: { name: string }) => name))
    cursor = page.body.next_cursor
  }
  expect(seen).toEqual(['Delta', 'Gamma', 'beta_1', 'Alpha 100%'])
  expect((await clara.call('GET', '/api/v1/workflows')).body.items[0]).not.toHaveProperty('definition')
  expect((await clara.call('GET', '/api/v1/workflows?limit=201')).status).toBe(422)
  expect((await clara.call('GET', '/api/v1/workflows?colour=red')).status).toBe(422)
})

test('publishing makes the draft a version that later drafts do not touch', async () => {
  const { id } = await create(anna, webhookDefinition('versions'))
  const first = await scenario(mill, {
    when: () => anna.call('POST', at(id, '/publish'), { body: { note: 'The first' } }),
    status: 201,
    body: {
      workflow_id: id,
      version: 1,
      note: 'The first',
      created_by: anna.id,
      triggers: [{ node_id: 'hook', type: 'trigger.webhook', url: `${mill.url}/hooks/anna/versions` }],
    },
    events: ['workflows.published'],
  })
  expect(first.body.definition).toEqual(webhookDefinition('versions'))
  const next = webhookDefinition('versions', {}, { got: 'second' })
  await anna.call('PUT', at(id), { body: { definition: next }, headers: { 'if-match': '"2"' } })
  expect((await mill.call('POST', '/hooks/anna/versions', { body: 'first', headers: { 'content-type': 'text/plain' } })).body).toEqual({
    got: 'first',
  })
  expect((await anna.call('POST', at(id, '/publish'))).body).toMatchObject({ version: 2, note: null })
  expect((await mill.call('POST', '/hooks/anna/versions')).body).toEqual({ got: 'second' })

  const versions = await anna.call('GET', at(id, '/versions?total=true'))
  expect(versions.body).toMatchObject({ items: [{ version: 2 }, { version: 1, note: 'The first' }], next_cursor: null, total: 2 })
  expect((await anna.call('GET', at(id, '/versions/1'))).body.definition).toEqual(webhookDefinition('versions'))
  expect(await anna.call('GET', at(id, '/versions/3'))).toMatchObject({ status: 404, body: { code: 'workflows.version_not_found' } })

  await scenario(mill, {
    when: () => anna.call('POST', at(id, '/versions/1/restore')),
    status: 200,
    body: { version: 2, definition: webhookDefinition('versions') },
    events: ['workflows.updated'],
  })
  expect((await mill.call('POST', '/hooks/anna/versions')).body).toEqual({ got: 'second' })
})

test('a stale publish is refused', async () => {
  const { id } = await create(anna, { nodes: [manual], edges: [] })
  await scenario(mill, { when: () => anna.call('POST', at(id, '/publish'), { headers: { 'if-match': '"9"' } }), status: 412, events: [] })
  await scenario(mill, {
    when: () => anna.call('POST', at(id, '/publish'), { headers: { 'if-match': '"1"' } }),
    status: 201,
    events: ['workflows.published'],
  })
})

test('of publishes that want the same webhook at once, one wins and the others change nothing', async () => {
  const drafts = await Promise.all(
    Array.from({ length: 8 }, () => create(anna, webhookDefinition('contested', { methods: ['GET', 'POST'] }))),
  )
  const replies = await Promise.all(drafts.map(({ id }) => anna.call('POST', at(id, '/publish'))))
  const statuses = replies.map(({ status }) => status)
  expect(statuses.filter((status) => status === 201)).toHaveLength(1)
  expect(statuses.filter((status) => status === 409 || status === 422)).toHaveLength(7)
  const read = await Promise.all(drafts.map(({ id }) => anna.call('GET', at(id))))
  expect(read.filter(({ body }) => body.status === 'active')).toHaveLength(1)
  expect(read.filter(({ body }) => body.status === 'draft' && body.version === null)).toHaveLength(7)
  const versions = await Promise.all(drafts.map(({ id }) => anna.call('GET', at(id, '/versions'))))
  expect(versions.flatMap(({ body }) => body.items)).toHaveLength(1)
})

test('a webhook path that is taken is a problem of the draft, also while its holder is paused, and none in another workspace', async () => {
  const holder = await publish(anna, webhookDefinition('taken'))
  const { id } = await create(anna, webhookDefinition('taken', { methods: ['POST', 'PUT'] }))
  const problem = {
    node_id: 'hook',
    path: '/nodes/0/config/path',
    severity: 'error',
    message: 'POST /taken is taken by another workflow of the workspace',
  }
  expect((await anna.call('POST', at(id, '/check'))).body).toEqual({ problems: [problem] })
  await anna.call('POST', at(holder, '/pause'))
  await scenario(mill, {
    when: () => anna.call('POST', at(id, '/publish')),
    status: 422,
    body: { code: 'workflows.not_publishable', problems: [problem], errors: [{ path: problem.path, message: problem.message }] },
    events: [],
  })
  await publish(ben, webhookDefinition('taken'))
  await anna.call('POST', at(holder, '/archive'))
  expect((await anna.call('POST', at(id, '/publish'))).status).toBe(201)
})

test('two nodes that listen to the same path are a problem', async () => {
  const nodes = ['one', 'two'].map((id) => ({ id, type: 'trigger.webhook', config: { path: 'same' } }))
  const { id } = await create(anna, { nodes, edges: [] })
  const { body } = await anna.call('POST', at(id, '/check'))
  expect(body.problems).toContainEqual({
    node_id: 'two',
    path: '/nodes/1/config/path',
    severity: 'error',
    message: 'POST /same is listened to by the node "one" already',
  })
})

test('every mistake of a draft is named with its place, and keeps it from being published', async () => {
  const definition = {
    nodes: [
      { id: 'hook', type: 'trigger.webhok', config: {} },
      { id: 'set', type: 'data.set', config: { values: { a: '{{ trigger. }}' } } },
      { id: 'fetch', type: 'http.request', config: { method: 'GET' } },
    ],
    edges: [
      { from: 'hook', to: 'set' },
      { from: 'set', to: 'gone' },
    ],
  }
  const { id } = await create(anna, definition)
  const { body } = await scenario(mill, { when: () => anna.call('POST', at(id, '/check')), status: 200, events: [] })
  const paths = body.problems.filter(({ severity }: { severity: string }) => severity === 'error').map(({ path }: { path: string }) => path)
  expect(paths).toEqual(expect.arrayContaining(['/nodes/0/type', '/nodes/1/config/values/a', '/nodes/2/config/url', '/edges/1/to']))
  const refused = await scenario(mill, {
    when: () => anna.call('POST', at(id, '/publish')),
    status: 422,
    body: { code: 'workflows.not_publishable', problems: body.problems },
    events: [],
  })
  expect(refused.body.errors.map(({ path }: { path: string }) => path)).toEqual(paths)
  expect((await anna.call('GET', at(id))).body).toMatchObject({ status: 'draft', version: null })
})

test('a workflow is paused, resumed and archived; doing it twice changes nothing', async () => {
  const id = await publish(anna, webhookDefinition('moves'))
  const move = (verb: string, status: number, events: readonly string[], body: object = {}) =>
    scenario(mill, { when: () => anna.call('POST', at(id, `/${verb}`)), status, body, events })
  await move('pause', 200, ['workflows.paused'], { status: 'paused', version: 1 })
  await move('pause', 200, [], { status: 'paused' })
  await scenario(mill, {
    when: () => mill.call('POST', '/hooks/anna/moves'),
    status: 404,
    body: { code: 'workflows.hook_not_found' },
    events: [],
  })
  await scenario(mill, {
    when: () => anna.call('POST', at(id, '/execute')),
    status: 409,
    body: { code: 'workflows.not_active' },
    events: [],
  })
  await move('resume', 200, ['workflows.resumed'], { status: 'active' })
  await move('resume', 200, [], { status: 'active' })
  expect((await mill.call('POST', '/hooks/anna/moves')).status).toBe(200)
  await move('archive', 200, ['workflows.archived'], { status: 'archived' })
  for (const verb of ['pause', 'resume', 'publish', 'versions/1/restore']) await move(verb, 409, [], { code: 'workflows.wrong_status' })
  await scenario(mill, {
    when: () => anna.call('PUT', at(id), { body: { name: 'x' }, headers: { 'if-match': '*' } }),
    status: 409,
    events: [],
  })
  expect((await mill.call('POST', '/hooks/anna/moves')).status).toBe(404)
})

test('a draft is neither paused nor resumed nor started', async () => {
  const { id } = await create(anna, webhookDefinition('never'))
  for (const verb of ['pause', 'resume', 'execute'])
    await scenario(mill, { when: () => anna.call('POST', at(id, `/${verb}`)), status: 409, events: [] })
  expect((await mill.call('POST', '/hooks/anna/never')).status).toBe(404)
})

test('a removed workflow is gone, its path is free, and its executions can still be read', async () => {
  const id = await publish(anna, webhookDefinition('removed'))
  const called = await mill.call('POST', '/hooks/anna/removed', { body: { a: 1 } })
  const execution = called.headers.get('x-millrace-execution-id')
  await scenario(mill, { when: () => anna.call('DELETE', at(id), { headers: { 'if-match': '"1"' } }), status: 412, events: [] })
  await scenario(mill, { when: () => anna.call('DELETE', at(id)), status: 204, events: ['workflows.deleted'] })
  for (const path of ['', '/versions', '/executions']) expect((await anna.call('GET', at(id, path))).status).toBe(404)
  expect((await mill.call('POST', '/hooks/anna/removed')).status).toBe(404)
  expect((await anna.call('GET', `/api/v1/workflows/executions/${execution}?payloads=true`)).body).toMatchObject({
    status: 'succeeded',
    output: { got: { a: 1 } },
  })
  await publish(anna, webhookDefinition('removed'))
})

test('a repeated create with one Idempotency-Key makes one workflow', async () => {
  const request = { body: { name: 'Once', definition: empty }, headers: { 'idempotency-key': '"create-once"' } }
  const first = await scenario(mill, {
    when: () => anna.call('POST', '/api/v1/workflows', request),
    status: 201,
    events: ['workflows.created'],
  })
  const second = await scenario(mill, { when: () => anna.call('POST', '/api/v1/workflows', request), status: 201, events: [] })
  expect(second.body).toEqual(first.body)
})

test('the node types and the schema of a definition are there to be read', async () => {
  const { body } = await anna.call('GET', '/api/v1/workflows/node-types')
  const types: string[] = body.items.map(({ type }: { type: string }) => type)
  expect(types).toEqual(types.toSorted())
  expect(types).toEqual(
    expect.arrayContaining(['data.set', 'flow.if', 'flow.merge', 'http.request', 'http.respond', 'trigger.manual', 'trigger.webhook']),
  )
  expect(body.items.find(({ type }: { type: string }) => type === 'flow.if')).toMatchObject({
    kind: 'pure',
    ports: ['true', 'false'],
    config: { type: 'object' },
  })
  const schema = await mill.call('GET', '/api/v1/workflows/definition.schema.json')
  expect(schema.body).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: { nodes: { type: 'array' } },
  })
})

test.each<[string, string]>([
  ['POST', '/check'],
  ['POST', '/publish'],
  ['POST', '/versions/1/restore'],
  ['POST', '/pause'],
  ['POST', '/resume'],
  ['POST', '/archive'],
  ['POST', '/execute'],
  ['DELETE', ''],
])('%s %s is refused for somebody who has read an older state', async (method, path) => {
  const id = await publish(anna, { nodes: [manual], edges: [] })
  if (path === '/resume') await anna.call('POST', at(id, '/pause'))
  const before = await anna.call('GET', at(id))
  const call = (etag: string) => anna.call(method, at(id, path), { headers: { 'if-match': etag } })
  await scenario(mill, { when: () => call('"1"'), status: 412, body: { code: 'http.precondition_failed' }, events: [] })
  const after = await anna.call('GET', at(id))
  expect([after.body, after.headers.get('etag')]).toEqual([before.body, before.headers.get('etag')])
  expect((await call(after.headers.get('etag') as string)).status).toBeLessThan(300)
})

test('what is made says where it is, and a version has the ETag of something that never changes', async () => {
  const created = await anna.call('POST', '/api/v1/workflows', { body: { name: 'x', definition: { nodes: [manual], edges: [] } } })
  expect(created.headers.get('location')).toBe(at(created.body.id))
  const published = await anna.call('POST', at(created.body.id, '/publish'))
  const location = published.headers.get('location') as string
  expect(location).toBe(at(created.body.id, '/versions/1'))
  const { body, headers } = await anna.call('GET', location)
  expect(body).toEqual(published.body)
  expect((await anna.call('GET', location, { headers: { 'if-none-match': headers.get('etag') as string } })).status).toBe(304)
})

test('node types are a list like every other', async () => {
  const list = async (query: string) => (await anna.call('GET', `/api/v1/workflows/node-types?${query}`)).body
  const all = await list('')
  const types = all.items.map(({ type }: { type: string }) => type)
  expect([all.next_cursor, types]).toEqual([null, types.toSorted()])
  const first = await list('limit=3&total=true')
  const second = await list(`limit=200&cursor=${first.next_cursor}`)
  expect([first.total, [...first.items, ...second.items]]).toEqual([types.length, all.items])
})
