import { afterAll, expect, test, vi } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp, type TestApp, type TestUser } from '../../../test-app.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const env = { MILLRACE_ACCESS_TOKEN_SECONDS: '86400' }
const mill = await testApp({ clock, env })
const second = await testApp({ clock, env: { ...env, MILLRACE_IMPERSONATION_MAILS: 'true' }, beside: mill })
afterAll(async () => {
  await second.close()
  await mill.close()
})
const admin = await mill.admin()

let addresses = 0
const signIn = async (user: TestUser): Promise<TestUser> => {
  const { body } = await mill.call('POST', '/api/v1/auth/login', {
    body: { email: user.email, password: user.password },
    headers: { 'x-forwarded-for': `198.19.0.${(addresses += 1)}` },
  })
  return { ...user, access_token: body.access_token, refresh_token: body.refresh_token, call: mill.as(body) }
}
const promote = async (user: TestUser, role: 'admin' | 'user'): Promise<void> => {
  const reply = await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/role`, { body: { role } })
  expect(reply.status, JSON.stringify(reply.body)).toBe(200)
}
const anotherAdmin = async (): Promise<TestUser> => {
  const user = await mill.register()
  await promote(user, 'admin')
  return user
}
const ask = (by: TestUser, user: { readonly id: string }, on: TestApp = mill) =>
  on.as(by)('POST', `/api/v1/users/admin/users/${user.id}/impersonate`, { body: { reason: 'cannot find the button' } })
const actAs = async (by: TestUser, user: TestUser): Promise<{ readonly access_token: string }> => {
  const { status, body } = await ask(by, user)
  expect(status, JSON.stringify(body)).toBe(201)
  return body
}
const works = async (tokens: { readonly access_token: string }, on = mill): Promise<boolean> =>
  (await on.as(tokens)('GET', '/api/v1/auth/me')).status === 200
const endsEverywhere = async (tokens: { readonly access_token: string }): Promise<void> => {
  expect(await works(tokens)).toBe(false)
  await vi.waitFor(async () => expect(await works(tokens, second)).toBe(false), { timeout: 1_000, interval: 20 })
}

test('an admin acts as a user for an hour, with both names in what they do and no refresh token', async () => {
  const user = await mill.register()
  const { body } = await scenario(mill, {
    when: () => ask(admin, user),
    status: 201,
    body: { user: { id: user.id }, refresh_token: null, token_type: 'bearer', expires_in: 3_600 },
    headers: { 'cache-control': 'no-store', 'set-cookie': null },
    events: ['identity.session.created', 'identity.impersonation.started'],
  })
  const started = (await mill.events()).findLast(({ name }) => name === 'identity.impersonation.started')
  expect(started).toMatchObject({
    actor: { type: 'user', id: admin.id },
    workspace_id: user.workspace_id,
    data: { user_id: user.id, impersonator_id: admin.id, reason: 'cannot find the button' },
  })
  const call = mill.as(body)
  expect(await call('GET', '/api/v1/auth/me')).toMatchObject({
    status: 200,
    body: { id: user.id, workspace_id: user.workspace_id, impersonated_by: admin.id },
  })
  expect((await user.call('GET', '/api/v1/auth/me')).body.impersonated_by).toBe(null)
  expect((await call('PUT', '/api/v1/users/profile', { body: { name: 'Helped' } })).status).toBe(200)
  expect((await mill.events()).findLast(({ name }) => name === 'users.profile.updated')).toMatchObject({
    actor: { type: 'user', id: user.id },
    impersonator_id: admin.id,
  })
  clock.advance(3_599_999)
  expect(await works(body)).toBe(true)
  clock.advance(1)
  expect(await works(body)).toBe(false)
})

test('the user sees the session in their list, and can end it', async () => {
  const user = await mill.register()
  const acting = await actAs(admin, user)
  expect(await works(acting, second)).toBe(true)
  const { body } = await user.call('GET', '/api/v1/auth/sessions')
  expect(body.items.map(({ impersonated }: { impersonated: boolean }) => impersonated).toSorted()).toEqual([false, true])
  expect(JSON.stringify(body)).not.toContain(admin.id)
  const there = body.items.find(({ impersonated }: { impersonated: boolean }) => impersonated)
  await scenario(mill, {
    when: () => user.call('DELETE', `/api/v1/auth/sessions/${there.id}`),
    status: 200,
    events: ['identity.session.revoked', 'identity.impersonation.ended'],
  })
  await endsEverywhere(acting)
  expect(await works(admin)).toBe(true)
  // The admin's own list is of their own sessions.
  await actAs(admin, user)
  expect((await admin.call('GET', '/api/v1/auth/sessions')).body.items).toMatchObject([{ impersonated: false }])
})

test('what takes a session of one’s own is refused to who acts as another', async () => {
  const user = await mill.register()
  const call = mill.as(await actAs(admin, user))
  const refused = { status: 403, body: { code: 'http.forbidden' } }
  for (const [method, path, body] of [
    ['GET', '/api/v1/auth/sessions'],
    ['POST', '/api/v1/auth/logout'],
    ['POST', '/api/v1/auth/api-keys', { name: 'stay', permissions: ['account:read'] }],
    ['POST', '/api/v1/auth/password/change', { current_password: user.password, password: 'another mill on water' }],
    ['POST', `/api/v1/users/admin/users/${user.id}/impersonate`, { reason: 'again' }],
  ] as const) {
    expect(await call(method, path, body === undefined ? {} : { body }), path).toMatchObject(refused)
  }
})

test('nobody acts as themselves, as another admin, as an account that is switched off, or from within', async () => {
  const [user, other] = [await mill.register(), await anotherAdmin()]
  const refused = { status: 403, body: { code: 'auth.impersonation_refused' } }
  expect(await ask(admin, admin)).toMatchObject(refused)
  expect(await ask(admin, other)).toMatchObject(refused)
  expect(await ask(user, other)).toMatchObject({ status: 403, body: { permission: 'users:impersonate' } })
  expect(await ask(user, user)).toMatchObject({ status: 403, body: { permission: 'users:impersonate' } })
  expect(await ask(admin, { id: mill.app.newId() })).toMatchObject({ status: 404, body: { code: 'users.not_found' } })
  await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/status`, { body: { is_active: false } })
  expect(await ask(admin, user)).toMatchObject(refused)
  for (const body of [{}, { reason: '' }, { reason: '  ' }, { reason: 'x', user_id: other.id }]) {
    expect((await admin.call('POST', `/api/v1/users/admin/users/${user.id}/impersonate`, { body })).status).toBe(422)
  }
  const [row] = await mill.database
    .owner`select count(*)::int as n from sessions where user_id in (${user.id}, ${other.id}) and impersonator_id is not null`
  expect(row?.['n']).toBe(0)
})

test('an API key never acts as another, whatever its owner may', async () => {
  const refused = await admin.call('POST', '/api/v1/auth/api-keys', { body: { name: 'k', permissions: ['users:impersonate'] } })
  expect(refused).toMatchObject({ status: 422, body: { code: 'auth.api_key_permission_refused' } })
})

test('who acts as another can stop, once', async () => {
  const user = await mill.register()
  const acting = await actAs(admin, user)
  expect(await works(acting, second)).toBe(true)
  await scenario(mill, {
    when: () => mill.as(acting)('POST', '/api/v1/auth/impersonation/end'),
    status: 200,
    events: ['identity.session.revoked', 'identity.impersonation.ended'],
  })
  expect((await mill.events()).at(-1)).toMatchObject({ actor: { id: user.id }, impersonator_id: admin.id })
  await endsEverywhere(acting)
  expect(await mill.as(acting)('POST', '/api/v1/auth/impersonation/end')).toMatchObject({ status: 401 })
  for (const own of [admin, user])
    expect(await own.call('POST', '/api/v1/auth/impersonation/end')).toMatchObject({
      status: 409,
      body: { code: 'auth.not_impersonating' },
    })
})

test.each<[string, (other: TestUser) => Promise<unknown>]>([
  ['signs out', (other) => other.call('POST', '/api/v1/auth/logout')],
  ['signs out everywhere', async (other) => (await signIn(other)).call('POST', '/api/v1/auth/logout?all=true')],
  ['is switched off', (other) => admin.call('PUT', `/api/v1/users/admin/users/${other.id}/status`, { body: { is_active: false } })],
  ['is no admin any more', (other) => promote(other, 'user')],
  [
    'presents a refresh token twice',
    async (other) => {
      for (let use = 0; use < 2; use++) await mill.call('POST', '/api/v1/auth/refresh', { body: { refresh_token: other.refresh_token } })
    },
  ],
])('when the admin %s, the session they act in ends everywhere within a second', async (_, leave) => {
  const [user, other] = [await mill.register(), await anotherAdmin()]
  const elsewhere = await actAs(admin, user)
  const acting = await actAs(other, user)
  for (const on of [mill, second]) expect(await works(acting, on)).toBe(true)
  await leave(other)
  await endsEverywhere(acting)
  expect(await works(elsewhere)).toBe(true)
  expect(await works(user)).toBe(true)
})

test('acting as somebody ends no later than the session it is done from', async () => {
  const [user, other] = [await mill.register(), await anotherAdmin()]
  const ends = new Date(clock.now() + 600_000).toISOString()
  await mill.database.owner`update sessions set expires_at = ${ends}::timestamptz where user_id = ${other.id}`
  const { body } = await ask(other, user)
  expect(body.expires_in).toBe(600)
  clock.advance(600_000)
  expect(await works(body)).toBe(false)
})

test('an admin who signs out while they begin to act as somebody leaves no session behind', async () => {
  const user = await mill.register()
  for (let round = 0; round < 5; round++) {
    const other = await anotherAdmin()
    const begin = ask(other, user)
    const [reply] = await Promise.all([begin, other.call('POST', '/api/v1/auth/logout')])
    if (reply.status === 201) await endsEverywhere(reply.body)
    else expect(reply.status).toBe(401)
  }
  const [row] = await mill.database.owner`
    select count(*)::int as n from sessions s join sessions own on own.id = s.impersonator_session_id
    where s.revoked_at is null and own.revoked_at is not null`
  expect(row?.['n']).toBe(0)
})

test('a mail tells the user where the installation wants it so', async () => {
  const user = await mill.register()
  await scenario(mill, {
    when: () => ask(admin, user, second),
    status: 201,
    events: ['identity.session.created', 'identity.impersonation.started', 'mail.queued'],
  })
})
