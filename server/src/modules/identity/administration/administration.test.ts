import { setTimeout } from 'node:timers/promises'
import { afterAll, expect, test, vi } from 'vitest'
import { jobs } from '../../../engine/jobs.ts'
import { tidy } from '../../workspaces/deletion/purge.ts'
import { testApp, type TestApp, type TestUser } from '../../../test-app.ts'
import { hashPassword } from '../passwords/password-hash.ts'
import { linkIn, mailOf } from '../recovery/post.testing.ts'

let ahead_ms = 0
const mill = await testApp({ clock: { now: () => Date.now() + ahead_ms } })
afterAll(mill.close)
const admin = await mill.admin()

const password = 'a wheel of seven paddles'
let from = 0
const login = (email: string, given: string) =>
  mill.call('POST', '/api/v1/auth/login', {
    body: { email, password: given },
    headers: { 'x-forwarded-for': `198.51.100.${(from += 1)}` },
  })

test('an admin makes an account with a password, which signs in', async () => {
  const body = { email: 'Made@Example.org', password, name: 'Made', plan: 'basic', email_verified: true }
  const made = await admin.call('POST', '/api/v1/users', { body })
  expect(made).toMatchObject({
    status: 201,
    body: { email: 'made@example.org', name: 'Made', plan: 'basic', role: 'user', email_verified: true, is_active: true },
  })
  expect(JSON.stringify(made.body)).not.toContain(password)
  expect(await login('made@example.org', password)).toMatchObject({ status: 200, body: { user: { id: made.body.id } } })
  expect(await admin.call('POST', '/api/v1/users', { body })).toMatchObject({ status: 409, body: { code: 'users.email_taken' } })
})

test('an account that is made without a password gets a link to choose one', async () => {
  const made = await admin.call('POST', '/api/v1/users', { body: { email: 'invited@example.org' } })
  expect(made.status).toBe(201)
  expect(await login('invited@example.org', password)).toMatchObject({ status: 401 })
  const { token, url } = linkIn(await mailOf(mill, 'invited@example.org', 'account_setup'))
  expect(url).toContain('/auth/reset#token=')
  const reset = await mill.call('POST', '/api/v1/auth/password/reset', { body: { token, password } })
  expect(reset.status).toBe(200)
  expect(await login('invited@example.org', password)).toMatchObject({ status: 200, body: { user: { email_verified: true } } })
  expect(await mill.call('POST', '/api/v1/auth/password/reset', { body: { token, password } })).toMatchObject({ status: 410 })
})

test('an account that moves here brings the hash of its password', async () => {
  const password_hash = await hashPassword(password)
  const made = await admin.call('POST', '/api/v1/users', { body: { email: 'moved@example.org', password_hash } })
  expect(made.status).toBe(201)
  expect(await login('moved@example.org', password)).toMatchObject({ status: 200 })
  for (const [body, code] of [
    [{ password_hash: '5f4dcc3b5aa765d61d8327deb882cf99' }, 'auth.password_hash_unknown'],
    [{ password_hash, password }, 'auth.password_twice'],
    [{ password: 'password1234' }, 'auth.password_weak'],
    [{ password, is_active: false }, 'http.validation_failed'],
    [{ password, id: admin.id }, 'http.validation_failed'],
  ] as const) {
    const refused = await admin.call('POST', '/api/v1/users', { body: { email: 'refused@example.org', ...body } })
    expect(refused, code).toMatchObject({ status: 422, body: { code } })
  }
  expect((await admin.call('GET', '/api/v1/users?search=refused')).body.items).toEqual([])
})

test('nobody but an admin makes or erases accounts', async () => {
  const [one, two] = [await mill.register(), await mill.register()]
  expect(await one.call('POST', '/api/v1/users', { body: { email: 'x@example.org', password } })).toMatchObject({ status: 403 })
  expect(await one.call('DELETE', `/api/v1/users/${two.id}`)).toMatchObject({ status: 403 })
  expect(await mill.call('DELETE', `/api/v1/users/${two.id}`)).toMatchObject({ status: 401 })
  expect(await two.call('GET', '/api/v1/users/profile')).toMatchObject({ status: 200 })
  expect(await admin.call('DELETE', `/api/v1/users/${admin.id}`)).toMatchObject({ status: 409, body: { code: 'auth.self_deactivation' } })
  const nobody = await admin.call('DELETE', '/api/v1/users/01900000-0000-7000-8000-000000000000')
  expect(nobody).toMatchObject({ status: 404, body: { code: 'users.not_found' } })
})

const gone = (app: TestApp, user: TestUser) =>
  vi.waitFor(
    async () => {
      const rows = await app.database.owner`select id from users where id = ${user.id}`
      expect(rows.length).toBe(0)
    },
    { timeout: 10_000 },
  )

test('an account that is erased ends at once, and nothing of the person stays where it belonged to them alone', async () => {
  const user = await mill.register('leaver')
  await user.call('PUT', '/api/v1/users/profile', { body: { name: 'Canary Leaver' } })
  await user.call('POST', '/api/v1/workflows', { body: { name: 'Canary workflow', definition: { nodes: [], edges: [] } } })
  expect(await admin.call('DELETE', `/api/v1/users/${user.id}`)).toMatchObject({ status: 202 })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  expect(await login(user.email, user.password)).toMatchObject({ status: 401 })
  await gone(mill, user)
  expect((await mill.events()).map(({ name }) => name)).toContain('users.erased')
  // What was theirs alone goes within hours, once nobody can still be reading of it.
  const left = () => mill.database.owner`select from workspaces where id = ${user.workspace_id}`
  await vi.waitFor(
    async () => {
      ahead_ms += 3_600_000
      await mill.app.use(jobs).start({ job: tidy, workspace_id: null, input: {} })
      await setTimeout(200)
      expect(await left()).toHaveLength(0)
    },
    { timeout: 15_000 },
  )
  const tables = await mill.database.owner<{ name: string }[]>`
    select c.relname as name
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`
  for (const { name } of tables) {
    // Events stay for an hour, so that whoever reads them has; the audit says that this account was erased.
    if (['events', 'audit_entries', 'executions', 'execution_records', 'idempotent_replies'].includes(name)) continue
    const found = await mill.database.owner.unsafe(`select * from ${name} t where t::text ilike $1 or t::text like $2`, [
      '%canary%',
      `%${user.id}%`,
    ])
    expect(found, name).toEqual([])
  }
  const again = await mill.call('POST', '/api/v1/auth/register', {
    body: { email: user.email, password, username: 'leaver' },
    headers: { 'x-forwarded-for': '198.51.100.200' },
  })
  expect(again.status).toBe(201)
})

test('people erase their own account, with their password once more', async () => {
  const user = await mill.register()
  const erase = (body: object) => user.call('POST', '/api/v1/users/profile/erase', { body })
  expect(await erase({})).toMatchObject({ status: 403, body: { code: 'auth.reauthentication_required' } })
  expect(await erase({ password: 'not this one at all' })).toMatchObject({ status: 403, body: { code: 'auth.password_wrong' } })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  expect(await erase({ password: user.password })).toMatchObject({ status: 202 })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  await gone(mill, user)
})

test('who is the only owner of a team has to hand it over first', async () => {
  const [owner, member] = [await mill.register(), await mill.register()]
  const team = await owner.call('POST', '/api/v1/workspaces', { body: { name: 'Team' } })
  expect(team.status).toBe(201)
  await mill.database.owner`
    insert into workspace_members (workspace_id, user_id, role, created_at)
    values (${team.body.id}, ${member.id}, 'admin', now())`
  const refused = await owner.call('POST', '/api/v1/users/profile/erase', { body: { password: owner.password } })
  expect(refused).toMatchObject({
    status: 409,
    body: { code: 'auth.sole_owner', workspaces: [{ id: team.body.id, name: 'Team' }] },
  })
  expect(await owner.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
})

test('an export holds what every part of the product knows of a person, no secret, and nothing of others', async () => {
  const user = await mill.register('exporter')
  const other = await mill.register()
  await user.call('POST', '/api/v1/workflows', { body: { name: 'Mine', definition: { nodes: [], edges: [] } } })
  await other.call('POST', '/api/v1/workflows', { body: { name: 'Not yours', definition: { nodes: [], edges: [] } } })
  const key = await user.call('POST', '/api/v1/auth/api-keys', { body: { name: 'A key', permissions: ['account:read'] } })
  expect(key.status).toBe(201)
  const asked = await user.call('POST', '/api/v1/users/profile/exports')
  expect(asked).toMatchObject({ status: 202, body: { status: 'running' } })
  const path = `/api/v1/users/profile/exports/${asked.body.id}`
  await vi.waitFor(async () => expect((await user.call('GET', path)).body.status).toBe('ready'), { timeout: 10_000 })
  const { headers, body } = await user.call('GET', `${path}/download`)
  expect(headers.get('content-disposition')).toContain('attachment')
  expect(body.data).toMatchObject({
    profile: [{ id: user.id, email: user.email }, { total: 1 }],
    workspaces: [{ id: user.workspace_id, role: 'owner' }],
    sessions: [{ id: expect.any(String), last_seen_at: expect.any(String) }],
    api_keys: [{ name: 'A key' }],
    workflows: [{ name: 'Mine' }],
  })
  const text = JSON.stringify(body)
  for (const secret of [key.body.key, user.access_token, user.refresh_token, 'argon2', 'Not yours', other.id])
    expect(text).not.toContain(secret)
  expect((await user.call('GET', '/api/v1/users/profile/exports')).body.items).toMatchObject([{ id: asked.body.id, status: 'ready' }])
  for (const tail of ['', '/download']) expect(await other.call('GET', path + tail)).toMatchObject({ status: 404 })
})

test('one export runs at a time, however many are asked for at the same moment', async () => {
  const user = await mill.register()
  const replies = await Promise.all(Array.from({ length: 8 }, () => user.call('POST', '/api/v1/users/profile/exports')))
  const made = replies.filter(({ status }) => status === 202)
  expect(made.length).toBeGreaterThanOrEqual(1)
  for (const { status, body } of replies) if (status !== 202) expect(body.code).toBe('users.export_running')
  await vi.waitFor(async () => {
    const { body } = await user.call('GET', '/api/v1/users/profile/exports')
    expect(body.items.map(({ status }: { status: string }) => status)).toEqual(made.map(() => 'ready'))
  })
})
