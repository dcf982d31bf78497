import { afterAll, expect, test } from 'vitest'
import { scenario } from '../../platform/testing/scenario.ts'
import { testApp } from '../../test-app.ts'
import { rotateSigningKey } from './identity.ts'

const env = { MILLRACE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') }
const mill = await testApp({ env })
const second = await testApp({ env, beside: mill })
afterAll(async () => {
  await second.close()
  await mill.close()
})

let addresses = 0
const elsewhere = () => ({ 'x-forwarded-for': `198.19.${(addresses += 1) >> 8}.${addresses & 255}` })
const admin = await mill.admin()
const status = (id: string, body: unknown) => admin.call('PUT', `/api/v1/users/admin/users/${id}/status`, { body })

/** Asks until the answer is the one expected; what is waited for is another process hearing of an event. */
const within = async (ms: number, ask: () => Promise<number>, expected: number): Promise<number> => {
  const started = performance.now()
  for (;;) {
    if ((await ask()) === expected) return performance.now() - started
    if (performance.now() - started > ms) throw new Error(`Still not ${expected} after ${ms} ms`)
  }
}

test('an account that is switched off loses every session at once, its access tokens included', async () => {
  const user = await mill.register()
  const { body: other } = await mill.call('POST', '/api/v1/auth/login', {
    body: { email: user.email, password: user.password },
    headers: elsewhere(),
  })
  for (const tokens of [user, other]) expect(await mill.as(tokens)('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  await scenario(mill, {
    when: () => status(user.id, { is_active: false }),
    status: 200,
    body: { id: user.id, is_active: false },
    events: ['users.status.changed', 'identity.session.revoked', 'identity.session.revoked'],
  })
  for (const tokens of [user, other]) {
    expect(await mill.as(tokens)('GET', '/api/v1/auth/me')).toMatchObject({ status: 401, body: { code: 'auth.session_revoked' } })
    const refreshed = await mill.call('POST', '/api/v1/auth/refresh', {
      body: { refresh_token: tokens.refresh_token },
      headers: elsewhere(),
    })
    expect(refreshed).toMatchObject({ status: 401, body: { code: 'auth.session_revoked' } })
  }
  const login = () =>
    mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: user.password }, headers: elsewhere() })
  expect(await login()).toMatchObject({ status: 401, body: { code: 'auth.invalid_credentials' } })

  expect(await status(user.id, { is_active: true })).toMatchObject({ status: 200, body: { is_active: true } })
  // Switched on again, the old tokens stay dead.
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  expect(await login()).toMatchObject({ status: 200 })
})

test('an account is switched off only as it was last read', async () => {
  const user = await mill.register()
  const path = `/api/v1/users/admin/users/${user.id}/status`
  const off = (etag: string) => admin.call('PUT', path, { body: { is_active: false }, headers: { 'if-match': etag } })
  const read = (await user.call('GET', '/api/v1/users/profile')).headers.get('etag') as string
  await user.call('PUT', '/api/v1/users/profile', { body: { name: 'Changed meanwhile' } })
  await scenario(mill, { when: () => off(read), status: 412, body: { code: 'http.precondition_failed' }, events: [] })
  const now = (await user.call('GET', '/api/v1/users/profile')).headers.get('etag') as string
  const done = await off(now)
  expect([done.status, done.headers.get('etag')]).toEqual([200, expect.not.stringMatching(now)])
})

test('switching accounts off is for admins, of others, and for accounts that are there', async () => {
  const [user, victim] = [await mill.register(), await mill.register()]
  const path = `/api/v1/users/admin/users/${victim.id}/status`
  await scenario(mill, {
    when: () => user.call('PUT', path, { body: { is_active: false } }),
    status: 403,
    body: { code: 'http.forbidden' },
    events: [],
  })
  expect(await victim.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  expect(await status(admin.id, { is_active: false })).toMatchObject({ status: 409, body: { code: 'auth.self_deactivation' } })
  expect(await status('01900000-0000-7000-8000-000000000000', { is_active: false })).toMatchObject({
    status: 404,
    body: { code: 'users.not_found' },
  })
  for (const body of [{}, { is_active: 'false' }, { is_active: false, role: 'admin' }])
    expect(await status(victim.id, body)).toMatchObject({ status: 422 })
  expect(await status('me', { is_active: false })).toMatchObject({ status: 422 })
})

test('a login that was under way when the account was switched off opens no session', async () => {
  const user = await mill.register()
  const replies = await Promise.all([
    mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: user.password }, headers: elsewhere() }),
    status(user.id, { is_active: false }),
  ])
  expect(replies[1].status).toBe(200)
  if (replies[0].status === 200) expect(await mill.as(replies[0].body)('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  const [row] = await mill.database.owner`select count(*) as live from sessions where user_id = ${user.id} and revoked_at is null`
  expect(row?.['live']).toBe(0)
})

test('what one process ends is over in the others within a second', async () => {
  for (const end of ['logout', 'off', 'reuse'] as const) {
    const user = await mill.register()
    const there = () =>
      second
        .as(user)('GET', '/api/v1/auth/me')
        .then((reply) => reply.status)
    expect(await there()).toBe(200)
    if (end === 'logout') expect(await user.call('POST', '/api/v1/auth/logout')).toMatchObject({ status: 200 })
    if (end === 'off') expect(await status(user.id, { is_active: false })).toMatchObject({ status: 200 })
    if (end === 'reuse') {
      const next = await mill.call('POST', '/api/v1/auth/refresh', { body: { refresh_token: user.refresh_token }, headers: elsewhere() })
      await mill.call('POST', '/api/v1/auth/refresh', { body: { refresh_token: next.body.refresh_token }, headers: elsewhere() })
      expect(
        await mill.call('POST', '/api/v1/auth/refresh', { body: { refresh_token: user.refresh_token }, headers: elsewhere() }),
      ).toMatchObject({
        body: { code: 'auth.refresh_reused' },
      })
    }
    expect(await within(1_000, there, 401)).toBeLessThan(1_000)
  }
})

test('a key that one process rotated to signs tokens that the others take, and older tokens stay good', async () => {
  const before = await mill.register()
  expect(await second.as(before)('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  const kids = []
  for (const time of ['first', 'second']) {
    const kid = await rotateSigningKey(mill.app.asSystem('a test rotates the key'))
    const after = await mill.register()
    const header = JSON.parse(Buffer.from(after.access_token.split('.')[0] as string, 'base64url').toString())
    expect(header.kid, time).toBe(kid)
    expect(await mill.as(after)('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
    expect(await mill.as(before)('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
    await within(
      1_000,
      () =>
        second
          .as(after)('GET', '/api/v1/auth/me')
          .then((reply) => reply.status),
      200,
    )
    kids.unshift(kid)
  }
  const published = (await second.call('GET', '/.well-known/jwks.json')).body.keys.map(({ kid }: { kid: string }) => kid)
  expect(published.slice(0, 2)).toEqual(kids)
  expect(published.length).toBe(3)
})
