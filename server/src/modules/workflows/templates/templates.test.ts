import { afterAll, beforeAll, expect, test } from 'vitest'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { create, manual, webhookDefinition } from '../definitions.testing.ts'
import { catalogue } from './catalogue.ts'
import { begin, connect, keepSecret } from './templates.testing.ts'

let mill: TestApp
let anna: TestUser
let ben: TestUser
beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
  ben = await mill.register('ben')
})
afterAll(() => mill.close())

const templates = '/api/v1/workflows/templates'
const url = 'https://store.example.org/orders'

const all = async (user: TestUser, query: string): Promise<readonly string[]> => {
  const ids: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const reply = await user.call('GET', `${templates}?${query}${cursor === '' ? '' : `&cursor=${cursor}`}`)
    expect(reply.status, JSON.stringify(reply.body)).toBe(200)
    ids.push(...(reply.body.items as { id: string }[]).map(({ id }) => id))
    cursor = reply.body.next_cursor as string | null
  }
  return ids
}

const saved = async (user: TestUser, definition: object, body: object = {}): Promise<{ id: string; revision?: string }> => {
  const { id } = await create(user, definition)
  const reply = await user.call('POST', `/api/v1/workflows/${id}/save-as-template`, { body })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body
}

test('the list shows what comes with the product, then one’s own, forwards and backwards, page by page', async () => {
  const own = [await saved(anna, webhookDefinition('one'), { title: 'One' }), await saved(anna, webhookDefinition('two'), { title: 'Two' })]
  const expected = [...catalogue.map(({ id }) => id), ...own.map(({ id }) => id)]
  expect(await all(anna, 'limit=200')).toEqual(expected)
  for (const limit of [1, 2, expected.length - 1]) {
    expect(await all(anna, `limit=${limit}`)).toEqual(expected)
    expect(await all(anna, `limit=${limit}&order=desc`)).toEqual(expected.toReversed())
  }
  const { body } = await anna.call('GET', `${templates}?total=true&limit=1`)
  expect(body.total).toBe(expected.length)
  expect(body.items[0]).not.toHaveProperty('definition')
  expect(await all(ben, 'limit=200')).toEqual(catalogue.map(({ id }) => id))
})

test('the list is narrowed by category and by text', async () => {
  const data = await all(anna, 'category=data')
  expect(data).toEqual(catalogue.filter(({ category }) => category === 'data').map(({ id }) => id))
  expect(data.length).toBeGreaterThan(0)
  expect(await all(anna, 'search=DEAD%20letter')).toEqual([])
  expect(await all(anna, 'search=COULD%20not%20be%20delivered')).toEqual(['retry-with-dead-letter'])
  expect(await all(anna, 'category=100%25')).toEqual([])
  expect((await anna.call('GET', `${templates}?cursor=nonsense`)).status).toBe(422)
})

test('one template is shown whole, with an ETag, and says what it needs', async () => {
  const reply = await anna.call('GET', `${templates}/webhook-intake`)
  expect(reply.body).toMatchObject({ id: 'webhook-intake', built_in: true, created_at: null, needs: { integrations: [], secrets: [] } })
  expect(reply.body.definition.nodes.length).toBeGreaterThan(3)
  const again = await anna.call('GET', `${templates}/webhook-intake`, { headers: { 'if-none-match': reply.headers.get('etag') as string } })
  expect(again.status).toBe(304)
  for (const id of ['no-such', mill.app.newId()]) {
    const missing = await anna.call('GET', `${templates}/${id}`)
    expect([missing.status, missing.body.code]).toEqual([404, 'workflows.template_not_found'])
  }
})

test('using a template makes a draft with the values filled in', async () => {
  await scenario(mill, {
    when: () =>
      anna.call('POST', `${templates}/webhook-intake/use`, {
        body: { name: 'Our orders', values: { path: 'our/orders', store_url: url } },
      }),
    status: 201,
    body: {
      name: 'Our orders',
      status: 'draft',
      triggers: [{ type: 'trigger.webhook', url: expect.stringContaining('/anna/our/orders') }],
    },
    events: ['workflows.created', 'workflows.template.used'],
  })
  const { body } = await anna.call('POST', `${templates}/webhook-intake/use`, { body: { values: { path: 'x', store_url: url } } })
  const store = body.definition.nodes.find(({ id }: { id: string }) => id === 'store')
  expect(store.config.url).toBe(url)
  expect(store.config).not.toHaveProperty('integration_id')
  expect(JSON.stringify(body.definition)).not.toContain('$parameter')
})

test.each<[string, object, string, string]>([
  ['is missing', { path: 'x' }, 'values.store_url', 'is required'],
  ['is no URL', { store_url: 'ftp://x' }, 'values.store_url', 'must be a URL that begins with http:// or https://'],
  ['is of another kind', { store_url: 7 }, 'values.store_url', 'must be a string'],
  ['is not a parameter', { store_url: url, constructor: 1 }, 'values.constructor', 'is not a parameter of the template'],
  ['makes no definition', { store_url: url, path: null }, 'values.path', 'must be a string'],
])('a value that %s is refused with its place', async (_, values, path, message) => {
  const reply = await anna.call('POST', `${templates}/webhook-intake/use`, { body: { values } })
  expect([reply.status, reply.body.errors]).toEqual([422, [{ path, message }]])
})

test('an integration, a secret or a workflow that a value names has to be the workspace’s own, and of the right type', async () => {
  const [theirs, wrong, right] = [
    await connect(ben, 'http', { auth: 'bearer', base_url: 'https://store.example.org' }, { token: 'a-token' }),
    await connect(anna, 'openai', {}, { api_key: 'a-key' }),
    await connect(anna, 'http', { auth: 'bearer', base_url: 'https://store.example.org' }, { token: 'a-token' }),
  ]
  const use = (integration_id: string) =>
    anna.call('POST', `${templates}/webhook-intake/use`, { body: { values: { path: 'y', store_url: url, integration_id } } })
  for (const id of [theirs, wrong, mill.app.newId()]) {
    const reply = await use(id)
    expect([reply.status, reply.body.errors]).toEqual([
      422,
      [{ path: 'values.integration_id', message: 'is not an integration of the workspace of the type http' }],
    ])
  }
  expect((await use(right)).status).toBe(201)
})

test('a template of one’s own is saved, used, changed and removed, and others know nothing of it', async () => {
  const slack = await connect(anna, 'http', { auth: 'bearer', base_url: 'https://store.example.org' }, { token: 'a-token' })
  const secret_id = await keepSecret(anna, 'of a hook', 'shh, this is one')
  const callee = await create(anna, { nodes: [manual], edges: [] })
  const definition = {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: 'mine', auth: { type: 'header', header: 'x-key', secret_id } } },
      { id: 'ask', type: 'http.request', config: { method: 'GET', url, integration_id: slack } },
      { id: 'again', type: 'http.request', config: { method: 'GET', url, integration_id: slack } },
      { id: 'call', type: 'flow.call', config: { workflow_id: callee.id, input: {} } },
      { id: 'stranger', type: 'data.set', config: { values: { id: anna.id } } },
    ],
    edges: [
      { from: 'hook', to: 'ask' },
      { from: 'ask', to: 'again' },
      { from: 'again', to: 'call' },
      { from: 'call', to: 'stranger' },
    ],
    settings: { error_workflow_id: callee.id, timezone: 'Europe/Vienna' },
    pins: { ask: { secret: 'recorded' } },
  }
  const workflow = await create(anna, definition)
  const place = `/api/v1/workflows/${workflow.id}/save-as-template`
  const parameters = [
    { name: 'path', title: 'Path', path: '/nodes/0/config/path' },
    { name: 'timezone', title: 'Zone', path: '/settings/timezone', required: true },
  ]
  const template = await scenario(mill, {
    when: () => anna.call('POST', place, { body: { title: 'Ours', category: 'own things', parameters } }),
    status: 201,
    body: { title: 'Ours', built_in: false, created_by: anna.id, needs: { integrations: ['http'], secrets: ['secret_id'] } },
    events: ['workflows.template.created'],
  })
  const { id } = template.body
  const text = JSON.stringify(template.body.definition)
  for (const own of [slack, secret_id, callee.id, 'recorded']) expect(text).not.toContain(own)
  expect(text).toContain(anna.id)
  expect(template.body.parameters).toMatchObject([
    { name: 'secret_id', refers_to: 'secret' },
    { name: 'http_integration_id', integration_type: 'http' },
    { name: 'workflow_id', refers_to: 'workflow' },
    { name: 'path', default: 'mine' },
    { name: 'timezone' },
  ])

  const values = { secret_id, http_integration_id: slack, workflow_id: callee.id, timezone: 'UTC' }
  const made = await anna.call('POST', `${templates}/${id}/use`, { body: { values } })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  const { pins: _, ...rest } = definition
  expect(made.body.definition).toEqual({ ...rest, settings: { ...rest.settings, timezone: 'UTC' } })
  const foreign = await anna.call('POST', `${templates}/${id}/use`, { body: { values: { ...values, workflow_id: mill.app.newId() } } })
  expect(foreign.body.errors).toEqual([{ path: 'values.workflow_id', message: 'is not a workflow of the workspace' }])

  for (const [method, body] of [['GET'], ['PUT', { title: 'x' }], ['DELETE']] as const) {
    const reply = await ben.call(method, `${templates}/${id}`, { ...(body && { body }), headers: { 'if-match': '"1"' } })
    expect([method, reply.status]).toEqual([method, 404])
  }
  expect((await ben.call('POST', `${templates}/${id}/use`, { body: {} })).status).toBe(404)
  expect((await ben.call('POST', place, { body: {} })).status).toBe(404)

  const put = (body: object, revision: string) => anna.call('PUT', `${templates}/${id}`, { body, headers: { 'if-match': revision } })
  expect((await put({ title: 'Theirs' }, '"9"')).status).toBe(412)
  expect((await anna.call('PUT', `${templates}/${id}`, { body: { title: 'x' } })).status).toBe(428)
  const renamed = await put({ title: 'Renamed', parameters: template.body.parameters }, '"1"')
  expect([renamed.status, renamed.body.title, renamed.headers.get('etag')]).toEqual([200, 'Renamed', '"2"'])
  const undeclared = await put({ parameters: [] }, '"2"')
  expect([undeclared.status, undeclared.body.errors[0].path]).toEqual([422, 'definition'])

  await scenario(mill, {
    when: () => anna.call('DELETE', `${templates}/${id}`),
    status: 204,
    events: ['workflows.template.deleted'],
  })
  expect((await anna.call('GET', `${templates}/${id}`)).status).toBe(404)
})

test('what comes with the product is neither changed nor removed', async () => {
  const removed = await anna.call('DELETE', `${templates}/webhook-intake`)
  const changed = await anna.call('PUT', `${templates}/webhook-intake`, { body: { title: 'Mine' }, headers: { 'if-match': '"1"' } })
  for (const { status, body } of [removed, changed]) expect([status, body.code]).toEqual([409, 'workflows.template_built_in'])
})

test('saving refuses a pointer that leads nowhere and a draft that holds what a template takes for a parameter', async () => {
  const { id } = await create(anna, webhookDefinition('somewhere'))
  const save = (parameters: object[]) => anna.call('POST', `/api/v1/workflows/${id}/save-as-template`, { body: { parameters } })
  for (const path of ['', '/nodes/9', '/nodes/0/__proto__', '/nodes/0/config/constructor', 'nodes']) {
    const reply = await save([{ name: 'x', title: 'X', path }])
    expect([path, reply.status, reply.body.errors?.[0]?.path]).toEqual([path, 422, 'parameters.0.path'])
  }
  const twice = { name: 'x', title: 'X', path: '/nodes/0/config/path' }
  expect((await save([twice, twice])).status).toBe(422)
  const odd = await create(anna, webhookDefinition('odd', {}, { a: { $parameter: 'b' } }))
  expect((await anna.call('POST', `/api/v1/workflows/${odd.id}/save-as-template`, { body: {} })).status).toBe(422)
})

test('a template of one’s own that makes no definition is refused when it is used', async () => {
  const { id } = await saved(anna, webhookDefinition('bad'))
  const definition = { nodes: [{ id: 7, type: 'trigger.manual' }], edges: [] }
  expect((await anna.call('PUT', `${templates}/${id}`, { body: { definition }, headers: { 'if-match': '"1"' } })).status).toBe(200)
  const reply = await anna.call('POST', `${templates}/${id}/use`, { body: {} })
  expect([reply.status, reply.body.errors?.[0]?.path]).toEqual([422, 'definition.nodes.0.id'])
})

test('using a template under one key makes one workflow', async () => {
  const body = { values: { path: 'keyed', store_url: url } }
  const use = () => anna.call('POST', `${templates}/webhook-intake/use`, { body, headers: { 'idempotency-key': '"use-1"' } })
  const [first, second] = [await use(), await use()]
  expect([first.status, second.status, second.body.id]).toEqual([201, 201, first.body.id])
})

test('a workspace has at most 200 templates', async () => {
  const { id } = await create(ben, webhookDefinition('many'))
  await mill.database.owner`
    insert into workflow_templates
      (id, workspace_id, title, description, category, icon, parameters, definition, tests, created_at, updated_at)
    select gen_random_uuid(), ${ben.workspace_id}, 'x', '', 'own', 'x', '[]', '{"nodes": [], "edges": []}', '[]', now(), now()
    from generate_series(1, 200)`
  const reply = await ben.call('POST', `/api/v1/workflows/${id}/save-as-template`, { body: {} })
  expect([reply.status, reply.body.code]).toEqual([409, 'workflows.too_many_templates'])
})

test('a template without anything to fill in is ready to be published', async () => {
  expect(await begin(anna, 'data-clean-up')).toMatch(/^[0-9a-f-]{36}$/)
})
