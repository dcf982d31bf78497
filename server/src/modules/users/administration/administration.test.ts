import { afterAll, expect, test } from 'vitest'
import { testApp, type TestUser } from '../../../test-app.ts'

const mill = await testApp()
afterAll(mill.close)
const admin = await mill.admin()

const idsOf = ({ body }: { readonly body: { readonly items: readonly { readonly id: string }[] } }): string[] =>
  body.items.map(({ id }) => id)

/** A second admin of the installation. */
const secondAdmin = async (): Promise<TestUser> => {
  const user = await mill.register()
  const made = await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/role`, { body: { role: 'admin' } })
  expect(made).toMatchObject({ status: 200, body: { id: user.id, role: 'admin' } })
  return user
}

test('an admin finds accounts by role, plan, status and a part of a name, a page at a time', async () => {
  const [lerato, thabo, off] = [await mill.register('lerato-x'), await mill.register('thabo-x'), await mill.register('off-x')]
  await admin.call('PUT', `/api/v1/users/admin/users/${thabo.id}/plan`, { body: { plan: 'basic' } })
  await admin.call('PUT', `/api/v1/users/admin/users/${off.id}/status`, { body: { is_active: false } })
  const find = async (query: string) => idsOf(await admin.call('GET', `/api/v1/users?order=asc&${query}`))
  expect(await find('search=-X')).toEqual([lerato.id, thabo.id, off.id])
  expect(await find('search=lerato-x%40')).toEqual([lerato.id])
  expect(await find('search=-x&plan=basic')).toEqual([thabo.id])
  expect(await find('search=-x&status=inactive')).toEqual([off.id])
  expect(await find('search=-x&status=active')).toEqual([lerato.id, thabo.id])
  expect(await find('role=admin')).toContain(admin.id)
  const first = await admin.call('GET', '/api/v1/users/admin/users?order=asc&search=-x&limit=2&total=true')
  expect(first.body).toMatchObject({ items: [{ id: lerato.id }, { id: thabo.id, plan: 'basic' }], total: 3 })
  expect(await find(`search=-x&limit=2&cursor=${first.body.next_cursor}`)).toEqual([off.id])
})

test('what a search holds stands for itself', async () => {
  const user = await mill.register('under_score')
  expect(idsOf(await admin.call('GET', '/api/v1/users?search=under_score'))).toEqual([user.id])
  for (const wild of ['%25', 'under%25score', 'underXscore', '%5C', "' or 1=1 --", '%00']) {
    const reply = await admin.call('GET', `/api/v1/users?search=${wild}`)
    expect(reply.status === 422 || idsOf(reply).length === 0, wild).toBe(true)
  }
})

test('nobody but an admin sees or changes accounts of others, and nobody learns which there are', async () => {
  const [one, two] = [await mill.register(), await mill.register()]
  for (const path of ['/api/v1/users', '/api/v1/users/admin/users', '/api/v1/users/admin/stats']) {
    expect(await one.call('GET', path)).toMatchObject({ status: 403, body: { permission: 'users:read' } })
    expect(await mill.call('GET', path)).toMatchObject({ status: 401 })
  }
  const missing = '01900000-0000-7000-8000-000000000000'
  for (const id of [two.id, missing]) {
    expect(await one.call('GET', `/api/v1/users/${id}`)).toMatchObject({ status: 404, body: { code: 'users.not_found' } })
    expect(await one.call('PUT', `/api/v1/users/${id}`, { body: { name: 'Mine now' } })).toMatchObject({ status: 404 })
  }
  expect(await one.call('GET', `/api/v1/users/email/${two.email}`)).toMatchObject({ status: 404 })
  expect(await one.call('GET', '/api/v1/users/email/nobody@example.org')).toMatchObject({ status: 404 })
  for (const [path, body] of [
    ['role', { role: 'admin' }],
    ['plan', { plan: 'enterprise' }],
  ] as const) {
    expect(await one.call('PUT', `/api/v1/users/admin/users/${one.id}/${path}`, { body })).toMatchObject({ status: 403 })
  }
  expect(await two.call('GET', '/api/v1/users/profile')).toMatchObject({ body: { name: null, role: 'user' } })
})

test('everybody reads and changes their own account by its id and its address', async () => {
  const user = await mill.register()
  expect(await user.call('GET', `/api/v1/users/${user.id}`)).toMatchObject({ status: 200, body: { id: user.id } })
  expect(await user.call('GET', `/api/v1/users/email/${user.email.toUpperCase()}`)).toMatchObject({ status: 200, body: { id: user.id } })
  const changed = await user.call('PUT', `/api/v1/users/${user.id}`, { body: { name: 'Me' }, headers: { 'if-match': '"1"' } })
  expect(changed).toMatchObject({ status: 200, body: { name: 'Me' } })
  const stale = await user.call('PUT', `/api/v1/users/${user.id}`, { body: { name: 'Again' }, headers: { 'if-match': '"1"' } })
  expect(stale).toMatchObject({ status: 412 })
  for (const field of [{ role: 'admin' }, { plan: 'free' }, { is_active: false }, { email_verified: true }, { id: user.id }]) {
    expect(await user.call('PUT', `/api/v1/users/${user.id}`, { body: { name: 'Me', ...field } })).toMatchObject({ status: 422 })
  }
})

test('an admin changes the profile of somebody else, and the record says who it was and what was before', async () => {
  const user = await mill.register()
  await user.call('PUT', '/api/v1/users/profile', { body: { name: 'Before', settings: { theme: 'dark' } } })
  const changed = await admin.call('PUT', `/api/v1/users/${user.id}`, { body: { name: 'After', settings: { theme: 'light' } } })
  expect(changed).toMatchObject({ status: 200, body: { id: user.id, name: 'After' } })
  const event = (await mill.events()).findLast(({ name }) => name === 'users.profile.updated')
  expect(event).toMatchObject({ actor: { type: 'user', id: admin.id }, data: { user_id: user.id, fields: ['name', 'settings'] } })
  const [row] = await mill.database.owner`select changes from events where id = ${event?.id as string}`
  expect(row?.['changes']).toEqual({ before: { name: 'Before' }, after: { name: 'After' } })
})

test('a role counts at the next request, and is taken away as fast', async () => {
  const user = await mill.register()
  expect(await user.call('GET', '/api/v1/users')).toMatchObject({ status: 403 })
  await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/role`, { body: { role: 'admin' } })
  expect(await user.call('GET', '/api/v1/users')).toMatchObject({ status: 200 })
  await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/role`, { body: { role: 'user' } })
  expect(await user.call('GET', '/api/v1/users')).toMatchObject({ status: 403 })
})

test('a role counts within a second on another server', async () => {
  const other = await testApp({ beside: mill })
  try {
    const user = await mill.register()
    const there = async (): Promise<number> =>
      (await fetch(`${other.url}/api/v1/users`, { headers: { authorization: `Bearer ${user.access_token}` } })).status
    expect(await there()).toBe(403)
    await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/role`, { body: { role: 'admin' } })
    await expect.poll(there, { timeout: 1_000, interval: 20 }).toBe(200)
    await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/role`, { body: { role: 'user' } })
    await expect.poll(there, { timeout: 1_000, interval: 20 }).toBe(403)
  } finally {
    await other.close()
  }
})

test('premium is a plan that older clients ask for as a role', async () => {
  const user = await mill.register()
  await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/plan`, { body: { plan: 'free' } })
  const answer = await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/role`, { body: { role: 'premium' } })
  expect(answer).toMatchObject({ status: 200, body: { role: 'user', plan: 'premium' } })
  expect((await mill.events()).at(-1)).toMatchObject({ name: 'users.plan.changed', data: { user_id: user.id, plan: 'premium' } })
})

test('nobody changes their own role', async () => {
  const answer = await admin.call('PUT', `/api/v1/users/admin/users/${admin.id}/role`, { body: { role: 'user' } })
  expect(answer).toMatchObject({ status: 409, body: { code: 'users.own_role' } })
})

test('of admins who demote each other at the same moment one stays', async () => {
  const others = [await secondAdmin(), await secondAdmin()]
  const all = [admin, ...others]
  const replies = await Promise.all(
    all.map((one, index) =>
      one.call('PUT', `/api/v1/users/admin/users/${(all[(index + 1) % all.length] as TestUser).id}/role`, { body: { role: 'user' } }),
    ),
  )
  for (const { status, body } of replies) {
    expect([200, 403, 409]).toContain(status)
    if (status === 409) expect(body.code).toBe('users.last_admin')
  }
  const [row] = await mill.database.owner`select count(*)::int as n from users where role = 'admin' and is_active`
  expect(row?.['n']).toBeGreaterThanOrEqual(1)
  await mill.database.owner`update users set role = 'admin' where id = ${admin.id}`
  await mill.database.owner`update users set role = 'user' where id <> ${admin.id}`
})

test('the figures of an account count its sign-ins and executions, and those of the installation all of them', async () => {
  const other = await testApp()
  try {
    const boss = await other.admin()
    const user = await other.register()
    await other.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: user.password } })
    const own = await user.call('GET', '/api/v1/users/profile/stats')
    expect(own).toMatchObject({
      status: 200,
      body: {
        sign_ins: { total: 2, last_at: expect.any(String) },
        executions: { last_30_days: 0, succeeded: 0, failed: 0, unfinished: 0 },
      },
    })
    await boss.call('PUT', `/api/v1/users/admin/users/${user.id}/plan`, { body: { plan: 'basic' } })
    const all = await boss.call('GET', '/api/v1/users/admin/stats')
    expect(all).toMatchObject({
      status: 200,
      body: {
        users: { total: 2, active: 2, inactive: 0, made_last_7_days: 2 },
        by_role: { admin: 1, user: 1 },
        by_plan: { basic: 1, enterprise: 1 },
        more: { activity: { active_last_day: 2, active_last_7_days: 2, active_last_30_days: 2 }, executions: { last_30_days: 0 } },
      },
    })
  } finally {
    await other.close()
  }
})
