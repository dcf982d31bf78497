import { afterAll, expect, test, vi } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type Call, testApp, type TestUser } from '../../../test-app.ts'
import { memberRemoved, memberRoleChanged } from '../../workspaces/events.ts'
import { claimByOwner } from '../recovery/claim.ts'
import { newKey } from './key-format.ts'
import { keyUses } from './key-uses.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
// So that nobody has to sign in again when an hour passes.
const env = { MILLRACE_ACCESS_TOKEN_SECONDS: '86400' }
const mill = await testApp({ clock, env })
const second = await testApp({ clock, env, beside: mill })
afterAll(async () => {
  await second.close()
  await mill.close()
})
const admin = await mill.admin()

const path = '/api/v1/auth/api-keys'
const permissions = ['workflows:read', 'account:read']
const inAnHour = (): string => new Date(clock.now() + 3_600_000).toISOString()

interface Made {
  readonly id: string
  readonly key: string
}
const make = async (user: TestUser, more: object = {}): Promise<Made> => {
  const reply = await user.call('POST', path, { body: { name: 'reader', permissions, ...more } })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body
}
const withKey =
  ({ key }: { readonly key: string }, on = mill): Call =>
  (method, at, { headers = {}, ...request } = {}) =>
    on.call(method, at, { ...request, headers: { 'x-api-key': key, ...headers } })
const status = async (key: Made, on = mill): Promise<number> => (await withKey(key, on)('GET', '/api/v1/auth/verify')).status
const invalid = { status: 401, body: { code: 'auth.api_key_invalid' } }

test('a key is shown once, and what is kept of it is a hash', async () => {
  const user = await mill.register()
  const expires_at = inAnHour()
  const { body } = await scenario(mill, {
    when: () => user.call('POST', path, { body: { name: 'reader', permissions, expires_at, requests_per_hour: 30 } }),
    status: 201,
    body: { name: 'reader', permissions, expires_at, requests_per_hour: 30, workspace_id: user.workspace_id, last_used_at: null },
    headers: { 'cache-control': 'no-store' },
    events: ['identity.api_key.created', 'mail.queued'],
  })
  expect(body.key).toMatch(/^mlr_[0-9A-Za-z]{61}$/)
  expect(body.key.startsWith(body.prefix)).toBe(true)
  const secret = body.key.slice(body.prefix.length)
  for (const at of [path, `${path}/${body.id}`]) {
    const reply = await user.call('GET', at)
    expect(reply.status).toBe(200)
    expect(JSON.stringify(reply.body)).toContain(body.prefix)
    expect(JSON.stringify(reply.body)).not.toContain(secret)
  }
  expect(JSON.stringify(await mill.events())).not.toContain(secret)
  const [row] = await mill.database.owner`select row_to_json(k)::text as row from api_keys k where id = ${body.id}`
  expect(row?.['row']).not.toContain(secret)
})

test.each<[string, (key: string) => { [name: string]: string }]>([
  ['X-API-Key', (key) => ({ 'x-api-key': key })],
  ['Bearer', (key) => ({ authorization: `Bearer ${key}` })],
  ['both, when they are the same', (key) => ({ 'x-api-key': key, authorization: `Bearer ${key}` })],
])('a key is accepted as %s', async (_, headersOf) => {
  const user = await mill.register()
  const { key, id } = await make(user)
  const verified = await mill.call('GET', '/api/v1/auth/verify', { headers: headersOf(key) })
  expect(verified).toMatchObject({
    status: 200,
    body: { user_id: user.id, session_id: null, api_key_id: id, expires_at: null, scopes: permissions.toSorted() },
  })
  expect(await mill.call('GET', '/api/v1/auth/me', { headers: headersOf(key) })).toMatchObject({
    status: 200,
    body: { id: user.id, workspace_id: user.workspace_id },
  })
})

test('two different credentials at once are refused, whichever of them is right', async () => {
  const user = await mill.register()
  const [one, two] = [await make(user), await make(user)]
  for (const authorization of [`Bearer ${user.access_token}`, `Bearer ${two.key}`]) {
    expect(await mill.call('GET', '/api/v1/auth/me', { headers: { authorization, 'x-api-key': one.key } })).toMatchObject({
      status: 401,
      body: { code: 'auth.credentials_conflict' },
    })
  }
})

test('a key does what it was given, and nothing else that its owner may do', async () => {
  const user = await mill.register()
  const call = withKey(await make(user))
  expect((await call('GET', '/api/v1/workflows')).status).toBe(200)
  expect(await call('POST', '/api/v1/workflows', { body: { name: 'W', definition: { nodes: [], edges: [] } } })).toMatchObject({
    status: 403,
    body: { code: 'http.forbidden', permission: 'workflows:write' },
  })
  for (const [method, at] of [
    ['POST', path],
    ['GET', path],
    ['POST', '/api/v1/auth/logout'],
    ['GET', '/api/v1/auth/sessions'],
  ] as const) {
    expect(await call(method, at, method === 'POST' ? { body: { name: 'more', permissions } } : {})).toMatchObject({ status: 403 })
  }
})

test('a key is given no permission that takes a session, that its maker does not have, or that there is not', async () => {
  const user = await mill.register()
  await scenario(mill, {
    when: () =>
      user.call('POST', path, { body: { name: 'all', permissions: ['account:security', 'users:read', 'account:read', 'no:such'] } }),
    status: 422,
    body: {
      code: 'auth.api_key_permission_refused',
      errors: [{ path: 'permissions.0' }, { path: 'permissions.1' }, { path: 'permissions.3' }],
    },
    events: [],
  })
  expect((await admin.call('POST', path, { body: { name: 'admin', permissions: ['users:read'] } })).status).toBe(201)
})

test.each([
  ['no name', { name: '' }],
  ['no permission', { permissions: [] }],
  ['a permission twice', { permissions: ['account:read', 'account:read'] }],
  ['an owner', { user_id: '019aa0c2-5f3e-7a11-8123-0123456789ab' }],
  ['a workspace', { workspace_id: '019aa0c2-5f3e-7a11-8123-0123456789ab' }],
  ['an expiry in the past', { expires_at: '2026-01-01T00:00:00.000Z' }],
  ['an expiry that is no time', { expires_at: 'tomorrow' }],
  ['a quota of nothing', { requests_per_hour: 0 }],
])('a key with %s is not made', async (_, more) => {
  const user = await mill.register()
  expect((await user.call('POST', path, { body: { name: 'reader', permissions, ...more } })).status).toBe(422)
  expect((await user.call('GET', path)).body.items).toEqual([])
})

test('what is no key, and what is none of ours, is refused', async () => {
  const user = await mill.register()
  const good = await make(user)
  const otherSecret = newKey(good.id).text
  for (const key of ['mlr_', 'mlr_abc', 'x', newKey(user.id).text, otherSecret, good.key.slice(0, -1)]) {
    expect(await withKey({ key })('GET', '/api/v1/auth/me')).toMatchObject(invalid)
    // And once more, from memory.
    expect(await withKey({ key })('GET', '/api/v1/auth/me')).toMatchObject(invalid)
  }
  expect(await status(good)).toBe(200)
})

test('a flood of keys that do not exist costs one statement at a time, however many come at once', async () => {
  const lookUps = { now: 0, most: 0, all: 0 }
  const { read } = mill.app.database
  const good = await make(await mill.register())
  const spy = vi.spyOn(mill.app.database, 'read').mockImplementation((scope) => {
    const db = read(scope)
    const executor = db.getExecutor()
    const executeQuery = executor.executeQuery.bind(executor)
    vi.spyOn(executor, 'executeQuery').mockImplementation(async (query, ...rest) => {
      if (!query.sql.includes('key_hash')) return executeQuery(query, ...rest)
      lookUps.all++
      lookUps.most = Math.max(lookUps.most, ++lookUps.now)
      return executeQuery(query, ...rest).finally(() => lookUps.now--)
    })
    return db
  })
  const unknown = Array.from({ length: 300 }, () => newKey(mill.app.newId()).text)
  const flood = () => Promise.all(unknown.map((key) => withKey({ key })('GET', '/api/v1/auth/verify')))
  for (const reply of await flood()) expect(reply).toMatchObject(invalid)
  const { all } = lookUps
  expect(all).toBeGreaterThan(0)
  expect(lookUps.most).toBe(1)
  // Who goes on with a key that there is no more costs nothing.
  for (const reply of await flood()) expect(reply).toMatchObject(invalid)
  expect(lookUps.all).toBe(all)
  spy.mockRestore()
  expect(await status(good)).toBe(200)
})

test('a key works in the workspace it was made in, and in no other of its owner', async () => {
  const [user, other] = [await mill.register(), await mill.register()]
  await mill.database.owner`insert into workspace_members values (${other.workspace_id}, ${user.id}, 'admin', now())`
  const key = await make(user, { permissions: ['workspace:read'] })
  const at = (workspace_id: string) => ({ headers: { 'x-workspace-id': workspace_id } })
  expect(await withKey(key)('GET', `/api/v1/workspaces/${user.workspace_id}`, at(user.workspace_id.toUpperCase()))).toMatchObject({
    status: 200,
  })
  const gone = { status: 404, body: { code: 'workspaces.not_found' } }
  expect(await withKey(key)('GET', `/api/v1/workspaces/${other.workspace_id}`)).toMatchObject(gone)
  for (const elsewhere of [other.workspace_id, mill.app.newId(), 'nonsense']) {
    expect(await withKey(key)('GET', '/api/v1/workflows', at(elsewhere))).toMatchObject(gone)
  }
})

test('a key is changed, and what it may do with it, at once and in every process', async () => {
  const user = await mill.register()
  const key = await make(user)
  const list = (on = mill) => withKey(key, on)('GET', '/api/v1/workflows')
  for (const on of [mill, second]) expect((await list(on)).status).toBe(200)
  const before = await user.call('GET', `${path}/${key.id}`)
  const headers = { 'if-match': before.headers.get('etag') as string }
  await scenario(mill, {
    when: () => user.call('PUT', `${path}/${key.id}`, { body: { permissions: ['account:read'], name: 'narrow' }, headers }),
    status: 200,
    body: { id: key.id, name: 'narrow', permissions: ['account:read'] },
    headers: { etag: '"2"' },
    events: ['identity.api_key.changed'],
  })
  expect((await list()).status).toBe(403)
  await vi.waitFor(async () => expect((await list(second)).status).toBe(403), { timeout: 1_000, interval: 20 })
  const changed = (await mill.events()).findLast(({ name }) => name === 'identity.api_key.changed')
  expect(changed).toMatchObject({
    actor: { type: 'user', id: user.id },
    workspace_id: user.workspace_id,
    data: { key_id: key.id, user_id: user.id, fields: ['permissions', 'name'] },
    changes: { before: { name: 'reader', permissions }, after: { name: 'narrow', permissions: ['account:read'] } },
  })
  expect(await user.call('PUT', `${path}/${key.id}`, { body: { name: 'late' }, headers })).toMatchObject({ status: 412 })
  await scenario(mill, {
    when: () => user.call('PUT', `${path}/${key.id}`, { body: { permissions: ['account:read', 'workflows:read'], requests_per_hour: 5 } }),
    status: 200,
    events: ['identity.api_key.changed', 'mail.queued'],
  })
  expect((await list()).status).toBe(200)
  for (const body of [{ permissions: ['users:read'] }, { permissions: ['account:security'] }, {}, { expires_at: '2026-01-01T00:00:00Z' }])
    expect((await user.call('PUT', `${path}/${key.id}`, { body })).status).toBe(422)
})

test('a removed key is refused at once, and on a second process within a second', async () => {
  const user = await mill.register()
  const key = await make(user)
  for (const on of [mill, second]) expect(await status(key, on)).toBe(200)
  await scenario(mill, {
    when: () => user.call('DELETE', `${path}/${key.id}`),
    status: 200,
    events: ['identity.api_key.removed'],
  })
  expect(await withKey(key)('GET', '/api/v1/auth/verify')).toMatchObject(invalid)
  await vi.waitFor(async () => expect(await status(key, second)).toBe(401), { timeout: 1_000, interval: 20 })
  expect(await user.call('DELETE', `${path}/${key.id}`)).toMatchObject({ status: 404, body: { code: 'auth.api_key_not_found' } })
})

test('a key stops when it expires, and goes on when its expiry is moved', async () => {
  const user = await mill.register()
  const key = await make(user, { expires_at: inAnHour() })
  clock.advance(3_599_999)
  expect(await status(key)).toBe(200)
  clock.advance(1)
  expect(await withKey(key)('GET', '/api/v1/auth/verify')).toMatchObject({ status: 401, body: { code: 'auth.api_key_expired' } })
  const expires_at = inAnHour()
  expect(await user.call('PUT', `${path}/${key.id}`, { body: { expires_at } })).toMatchObject({ status: 200, body: { expires_at } })
  expect(await status(key)).toBe(200)
  expect(await user.call('PUT', `${path}/${key.id}`, { body: { expires_at: null } })).toMatchObject({
    status: 200,
    body: { expires_at: null },
  })
})

/** What the workspaces do to a membership, and tell. */
const membership = (user: TestUser, workspace_id: string, role: 'member' | 'viewer' | null) =>
  mill.app.asSystem('change a membership, for a test', workspace_id).tx(async (tx) => {
    const data = { workspace_id, user_id: user.id }
    const { db } = tx
    if (role === null) {
      await db.deleteFrom('workspace_members').where('user_id', '=', user.id).where('workspace_id', '=', workspace_id).execute()
      return tx.emit(memberRemoved, { ...data, reason: 'removed' })
    }
    await db
      .insertInto('workspace_members')
      .values({ ...data, role, created_at: new Date(clock.now()).toISOString() })
      .onConflict((conflict) => conflict.columns(['workspace_id', 'user_id']).doUpdateSet({ role }))
      .execute()
    tx.emit(memberRoleChanged, { ...data, role })
  })

test('a key ends with the standing of its owner: switched off, no member any more, a lower role', async () => {
  const [user, host] = [await mill.register(), await mill.register()]
  const own = await make(user)
  await membership(user, host.workspace_id, 'member')
  const there = await make(
    { ...user, call: (method, at, request) => user.call(method, at, { ...request, headers: { 'x-workspace-id': host.workspace_id } }) },
    { permissions: ['workflows:write', 'workflows:read', 'account:read'] },
  )
  const write = (on = mill) =>
    withKey(there, on)('POST', '/api/v1/workflows', { body: { name: 'W', definition: { nodes: [], edges: [] } } })
  for (const on of [mill, second]) expect((await write(on)).status).toBe(201)

  await membership(user, host.workspace_id, 'viewer')
  expect((await write()).status).toBe(403)
  await vi.waitFor(async () => expect((await write(second)).status).toBe(403), { timeout: 1_000, interval: 20 })
  expect((await withKey(there)('GET', '/api/v1/auth/verify')).body.scopes).toEqual(['account:read', 'workflows:read'])

  await membership(user, host.workspace_id, null)
  expect(await withKey(there)('GET', '/api/v1/workflows')).toMatchObject(invalid)
  expect(await status(own)).toBe(200)
  // And it does not come back to life with its owner.
  await vi.waitFor(async () => expect((await user.call('GET', `${path}/${there.id}`)).status).toBe(404))
  await membership(user, host.workspace_id, 'member')
  expect(await withKey(there)('GET', '/api/v1/workflows')).toMatchObject(invalid)

  const switched = (is_active: boolean) => admin.call('PUT', `/api/v1/users/admin/users/${user.id}/status`, { body: { is_active } })
  expect(await status(own, second)).toBe(200)
  expect((await switched(false)).status).toBe(200)
  expect(await withKey(own)('GET', '/api/v1/workflows')).toMatchObject(invalid)
  await vi.waitFor(async () => expect(await status(own, second)).toBe(401), { timeout: 1_000, interval: 20 })
  expect((await switched(true)).status).toBe(200)
  expect(await status(own)).toBe(200)
})

test('a key loses with the role of its owner what that role gave', async () => {
  const user = await mill.register()
  const role = (to: 'admin' | 'user') => admin.call('PUT', `/api/v1/users/admin/users/${user.id}/role`, { body: { role: to } })
  expect((await role('admin')).status).toBe(200)
  const key = await make(user, { permissions: ['users:read', 'account:read'] })
  const all = (on = mill) => withKey(key, on)('GET', '/api/v1/users/admin/users')
  for (const on of [mill, second]) expect((await all(on)).status).toBe(200)
  expect((await role('user')).status).toBe(200)
  expect(await all()).toMatchObject({ status: 403, body: { permission: 'users:read' } })
  await vi.waitFor(async () => expect((await all(second)).status).toBe(403), { timeout: 1_000, interval: 20 })
  expect(await status(key)).toBe(200)
})

test('keys of an account that nobody confirmed go when the owner of its address takes it over', async () => {
  const user = await mill.register()
  const key = await make(user)
  expect(await status(key, second)).toBe(200)
  const claimed = await mill.app.asSystem('take an account over, for a test').tx((tx) => claimByOwner(tx, user.id))
  expect(claimed).toBe(true)
  expect(await withKey(key)('GET', '/api/v1/auth/verify')).toMatchObject(invalid)
  await vi.waitFor(async () => expect(await status(key, second)).toBe(401), { timeout: 1_000, interval: 20 })
  expect((await mill.events()).findLast(({ name }) => name === 'identity.api_key.removed')).toMatchObject({
    data: { key_id: key.id, reason: 'claimed' },
    changes: { before: { name: 'reader', permissions } },
  })
})

test("somebody else's key is not there", async () => {
  const [user, stranger] = [await mill.register(), await mill.register()]
  const key = await make(user)
  const gone = { status: 404, body: { code: 'auth.api_key_not_found' } }
  for (const other of [stranger, admin]) {
    expect(await other.call('GET', `${path}/${key.id}`)).toMatchObject(gone)
    expect(await other.call('PUT', `${path}/${key.id}`, { body: { name: 'mine' } })).toMatchObject(gone)
    expect(await other.call('DELETE', `${path}/${key.id}`)).toMatchObject(gone)
    expect(JSON.stringify((await other.call('GET', path)).body)).not.toContain(key.id)
  }
  expect(await user.call('GET', `${path}/this-one`)).toMatchObject({ status: 422 })
  expect(await status(key)).toBe(200)
})

test('an admin sees every key with its owner and its last use, never the secret, and can remove it', async () => {
  const user = await mill.register()
  const key = await make(user)
  const all = '/api/v1/users/admin/api-keys'
  const { body } = await admin.call('GET', `${all}?user_id=${user.id}&total=true`)
  expect(body).toMatchObject({ total: 1, items: [{ id: key.id, user: { id: user.id, email: user.email }, last_used_at: null }] })
  expect(JSON.stringify(body)).not.toContain(key.key.slice(26))
  const everybody = await admin.call('GET', `${all}?limit=2&order=asc`)
  expect(everybody.body.items).toHaveLength(2)
  const next = await admin.call('GET', `${all}?limit=2&order=asc&cursor=${everybody.body.next_cursor}`)
  expect(next.body.items[0].id > everybody.body.items[1].id).toBe(true)
  expect(await user.call('GET', all)).toMatchObject({ status: 403, body: { permission: 'keys:read_all' } })
  expect(await user.call('DELETE', `${all}/${key.id}`)).toMatchObject({ status: 403 })
  await scenario(mill, {
    when: () => admin.call('DELETE', `${all}/${key.id}`),
    status: 200,
    events: ['identity.api_key.removed', 'mail.queued'],
  })
  expect(await status(key)).toBe(401)
  expect(await admin.call('DELETE', `${all}/${key.id}`)).toMatchObject({ status: 404 })
})

test('when and from where a key was used last is noted once a minute, beside the requests', async () => {
  const user = await mill.register()
  const key = await make(user)
  const shown = async () => (await user.call('GET', `${path}/${key.id}`)).body
  const use = (address: string) => withKey(key)('GET', '/api/v1/auth/verify', { headers: { 'x-forwarded-for': address } })
  const flush = () => mill.app.use(keyUses).flush()
  await use('198.51.100.1')
  const first = new Date(clock.now()).toISOString()
  await flush()
  expect(await shown()).toMatchObject({ last_used_at: first, last_used_address: '198.51.100.1', updated_at: expect.any(String) })
  clock.advance(59_999)
  await use('198.51.100.2')
  await flush()
  expect(await shown()).toMatchObject({ last_used_at: first })
  clock.advance(1)
  await use('198.51.100.3')
  await flush()
  expect(await shown()).toMatchObject({ last_used_at: new Date(clock.now()).toISOString(), last_used_address: '198.51.100.3' })
  expect((await user.call('GET', `${path}/${key.id}`)).headers.get('etag')).toBe('"1"')
})

test('what was noted is written when the server stops', async () => {
  const third = await testApp({ clock, beside: mill })
  const user = await mill.register()
  const key = await make(user)
  expect(await status(key, third)).toBe(200)
  await third.close()
  expect((await user.call('GET', `${path}/${key.id}`)).body.last_used_at).toBe(new Date(clock.now()).toISOString())
})

test('a user has at most fifty keys, however many are asked for at once', async () => {
  const user = await mill.register()
  const template = await make(user)
  await mill.database.owner`
    insert into api_keys (id, user_id, workspace_id, name, key_hash, permissions, created_at, updated_at)
    select gen_random_uuid(), user_id, workspace_id, name, 'x', permissions, created_at, updated_at
    from api_keys, generate_series(1, 45) where id = ${template.id}`
  const replies = await Promise.all(Array.from({ length: 10 }, () => user.call('POST', path, { body: { name: 'one more', permissions } })))
  expect(replies.filter(({ status: answered }) => answered === 201)).toHaveLength(4)
  expect(replies.find(({ status: answered }) => answered !== 201)).toMatchObject({ status: 409, body: { code: 'auth.api_key_limit' } })
  const page = (await user.call('GET', `${path}?total=true&limit=40`)).body
  expect([page.total, page.items.length]).toEqual([50, 40])
  expect((await user.call('GET', `${path}?workspace_id=${user.id}`)).body.items).toEqual([])
})

test('a key that is asked for twice with one Idempotency-Key is made once', async () => {
  const user = await mill.register()
  const ask = () => user.call('POST', path, { body: { name: 'reader', permissions }, headers: { 'idempotency-key': '"a key"' } })
  const [one, two] = [await ask(), await ask()]
  expect(one.body.key).toBe(two.body.key)
  expect((await user.call('GET', path)).body.items).toHaveLength(1)
})
