import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { scenario } from '../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../test-app.ts'
import { types } from './types.ts'

let mill: TestApp
let anna: TestUser
let ben: TestUser
const log: string[] = []

/** Stands for a credential wherever one is given; it must be nowhere else. */
const canary = 'canary-5f0c2a9e-never-shown'
const other_canary = 'canary-77aa10d4-never-shown'

beforeAll(async () => {
  mill = await testApp({
    env: { LOG_LEVEL: 'trace', MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' },
    log_to: { write: (line) => void log.push(line) },
  })
  anna = await mill.register('anna')
  ben = await mill.register('ben')
})
afterAll(() => mill.close())

const path = '/api/v1/users/integrations'
const openai = { type: 'openai', name: 'Models', credentials: { api_key: canary } }
const custom = {
  type: 'http',
  name: 'Shop',
  config: { auth: 'basic', base_url: 'https://shop.example', username: 'anna' },
  credentials: { password: canary },
}

const make = async (user: TestUser, body: object) => {
  const reply = await user.call('POST', path, { body })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body as { readonly id: string }
}

test('an integration keeps its credentials to itself: in no reply, event, audit entry, log, export or error', async () => {
  const made = await scenario(mill, {
    when: { by: anna.call, method: 'POST', path, body: custom },
    status: 201,
    body: {
      workspace_id: anna.workspace_id,
      config: custom.config,
      credential_fields: ['password'],
      health: { status: 'unknown', checked_at: null, error: null },
      connected: null,
      last_used_at: null,
      created_by: anna.id,
    },
    headers: { etag: '"1"' },
    not_said: [canary],
    events: ['integrations.created'],
  })
  const at = `${path}/${made.body.id}`
  const replies = [
    await anna.call('GET', at),
    await anna.call('GET', path),
    await anna.call('PUT', at, { body: { credentials: { password: other_canary, nonsense: canary } }, headers: { 'if-match': '"1"' } }),
    await anna.call('PUT', at, { body: { credentials: { password: other_canary } }, headers: { 'if-match': '"1"' } }),
    await anna.call('PUT', at, { body: { config: { ...custom.config, auth: canary } }, headers: { 'if-match': '"2"' } }),
    await anna.call('POST', path, { body: { ...custom, credentials: { password: canary, token: { deep: other_canary } } } }),
    await anna.call('GET', '/api/v1/audit'),
    await anna.call('POST', '/api/v1/users/profile/exports'),
    await anna.call('DELETE', at),
  ]
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 422, 200, 422, 422, 200, 202, 204])
  const ready = async () => expect((await mill.events()).map(({ name }) => name)).toContain('users.export.ready')
  await vi.waitFor(ready, 20_000)
  const [{ id: export_id }] = (await anna.call('GET', '/api/v1/users/profile/exports')).body.items
  const exported = await anna.call('GET', `/api/v1/users/profile/exports/${export_id}/download`)
  expect(exported.status).toBe(200)
  const told = [
    JSON.stringify(replies.map(({ body, headers }) => [body, ...headers])),
    JSON.stringify(await mill.events()),
    JSON.stringify(await mill.database.owner`select * from audit_entries`),
    JSON.stringify(await mill.database.owner`select * from integrations`),
    JSON.stringify(exported.body),
    log.join('\n'),
  ]
  expect(told[1]).toContain('integrations.updated')
  for (const text of told) for (const secret of [canary, other_canary]) expect(text).not.toContain(secret)
})

test('a change without credentials keeps them, one with some of them replaces those', async () => {
  const keys = { access_key_id: 'AKIA1', secret_access_key: canary, session_token: 'token-1' }
  const { id } = await make(anna, { type: 'aws', name: 'Cloud', config: { region: 'eu-central-1' }, credentials: keys })
  const fields = async (body: object, revision: number) => {
    const reply = await anna.call('PUT', `${path}/${id}`, { body, headers: { 'if-match': `"${revision}"` } })
    return [reply.status, reply.body.credential_fields]
  }
  const all = ['access_key_id', 'secret_access_key', 'session_token']
  expect(await fields({ name: 'The cloud' }, 1)).toEqual([200, all])
  expect(await fields({ credentials: { secret_access_key: 'another' } }, 2)).toEqual([200, all])
  expect(await fields({ credentials: { session_token: null } }, 3)).toEqual([200, all.slice(0, 2)])
  expect((await fields({ credentials: { access_key_id: null } }, 4))[0]).toBe(422)
})

test('who does not know the credentials cannot send them elsewhere by a change of the configuration', async () => {
  const { id } = await make(anna, custom)
  const put = (body: object, revision = 1) => anna.call('PUT', `${path}/${id}`, { body, headers: { 'if-match': `"${revision}"` } })
  for (const more of [
    { base_url: 'https://thief.example' },
    { base_url: 'http://shop.example' },
    { allowed_hosts: ['thief.example'] },
    { allowed_hosts: ['*.shop.example'] },
    { test_url: 'https://thief.example/x' },
  ]) {
    const reply = await put({ config: { ...custom.config, ...more } })
    expect([reply.status, reply.body.code]).toEqual([422, 'integrations.credentials_required'])
  }
  expect((await put({ config: { ...custom.config, base_url: 'https://shop.example/v2' } })).status).toBe(200)
  const moved = { config: { ...custom.config, base_url: 'https://new-shop.example' } }
  expect((await put({ ...moved, credentials: { password: canary } }, 2)).status).toBe(200)
})

test.each<[string, object, string]>([
  ['an unknown type', { type: 'nonsense', name: 'x' }, 'type'],
  ['no credential that the way of signing needs', { ...custom, credentials: { token: 'x' } }, 'credentials.password'],
  ['a credential that the type does not have', { ...openai, credentials: { api_key: 'x', more: 'y' } }, 'credentials.more'],
  ['a field of the configuration that the type does not have', { ...openai, config: { url: 'x' } }, 'config.url'],
  ['a base URL with a password in it', { ...openai, config: { base_url: 'https://a:b@example.com' } }, 'config.base_url'],
  ['a base URL that is none', { ...openai, config: { base_url: 'https://[::g]/' } }, 'config.base_url'],
  ['a credential for nobody', { ...custom, config: { auth: 'basic', username: 'x' } }, 'config.base_url'],
  ['a host that is any', { ...custom, config: { ...custom.config, allowed_hosts: ['*'] } }, 'config.allowed_hosts.0'],
  [
    'a header that belongs to the connection',
    { ...custom, config: { auth: 'header', header_name: 'Host', base_url: 'https://a.example' }, credentials: { value: 'x' } },
    'config.header_name',
  ],
  ['a NUL byte', { ...openai, name: 'a\0b' }, 'name'],
])('%s is refused, and nothing is written', async (_, body, field) => {
  const { body: said } = await scenario(mill, { when: { by: anna.call, method: 'POST', path, body }, status: 422, events: [] })
  expect(said.errors.map((error: { path: string }) => error.path)).toContain(field)
})

test('another workspace sees, changes, tries and removes nothing', async () => {
  const { id } = await make(anna, openai)
  for (const [method, rest, body] of [
    ['GET', ''],
    ['PUT', '', { name: 'mine' }],
    ['POST', '/test'],
    ['DELETE', ''],
    ['DELETE', '?force=true'],
  ] as const) {
    await scenario(mill, {
      when: () => ben.call(method, `${path}/${id}${rest}`, { ...(body && { body }), headers: { 'if-match': '"1"' } }),
      status: 404,
      body: { code: 'integrations.not_found' },
      events: [],
    })
  }
  expect((await ben.call('GET', path)).body.items).toEqual([])
  expect((await anna.call('GET', `${path}/${id}`)).body.name).toBe('Models')
})

test('a list is filtered, searched and paged', async () => {
  const clara = await mill.register('clara')
  for (const name of ['Alpha 100%', 'Beta', 'Gamma']) await make(clara, { ...openai, name })
  await make(clara, custom)
  const names = async (query: string) => {
    const { body } = await clara.call('GET', `${path}?${query}`)
    return (body.items as { name: string }[]).map(({ name }) => name)
  }
  expect(await names('order=asc')).toEqual(['Alpha 100%', 'Beta', 'Gamma', 'Shop'])
  expect(await names('type=http')).toEqual(['Shop'])
  expect(await names('search=0%25')).toEqual(['Alpha 100%'])
  expect(await names('health=failing')).toEqual([])
  const first = await clara.call('GET', `${path}?limit=3&total=true`)
  expect(first.body).toMatchObject({ total: 4, items: [{ name: 'Shop' }, { name: 'Gamma' }, { name: 'Beta' }] })
  expect(await names(`limit=3&cursor=${first.body.next_cursor}`)).toEqual(['Alpha 100%'])
})

test('a change is made against the last ETag', async () => {
  const { id } = await make(anna, openai)
  const put = (headers: { [name: string]: string }) => anna.call('PUT', `${path}/${id}`, { body: { name: 'Renamed' }, headers })
  expect((await put({})).status).toBe(428)
  expect((await put({ 'if-match': '"9"' })).status).toBe(412)
  const replies = await Promise.all(Array.from({ length: 5 }, () => put({ 'if-match': '"1"' })))
  expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412, 412, 412, 412])
})

test('a form can be drawn for each type, and only credentials are secret', async () => {
  const { body } = await anna.call('GET', '/api/v1/integrations/types')
  const names = body.items.map(({ type }: { type: string }) => type)
  expect(names).toEqual(types.map(({ type }) => type))
  for (const item of body.items) {
    expect(item.config.type).toBe('object')
    expect(item.credentials.type).toBe('object')
    expect(item.doc.length).toBeGreaterThan(20)
  }
})
