import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp, type TestUser } from '../../../test-app.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
const patient = await testApp({ clock, env: { MILLRACE_REFRESH_GRACE_SECONDS: '10' } })
afterAll(async () => {
  await patient.close()
  await mill.close()
})

let addresses = 0
const elsewhere = () => ({ 'x-forwarded-for': `198.19.${(addresses += 1) >> 8}.${addresses & 255}` })
const signIn = async (user: TestUser, more: object = {}, headers: { [name: string]: string } = {}) =>
  (
    await mill.call('POST', '/api/v1/auth/login', {
      body: { email: user.email, password: user.password, ...more },
      headers: { ...elsewhere(), ...headers },
    })
  ).body
const refresh = (refresh_token: string, headers: { [name: string]: string } = {}) =>
  mill.call('POST', '/api/v1/auth/refresh', { body: { refresh_token }, headers: { ...elsewhere(), ...headers } })
const works = async (tokens: { access_token: string }): Promise<boolean> =>
  (await mill.as(tokens)('GET', '/api/v1/auth/verify')).status === 200

test('a refresh gives new tokens for the same session, and no event', async () => {
  const user = await mill.register()
  clock.advance(1_000)
  const reply = await scenario(mill, {
    when: () => refresh(user.refresh_token),
    status: 200,
    body: { user: { id: user.id }, token_type: 'bearer' },
    events: [],
  })
  expect(reply.body.refresh_token).not.toBe(user.refresh_token)
  expect(reply.body.access_token).not.toBe(user.access_token)
  const [before, after] = await Promise.all([user.call('GET', '/api/v1/auth/verify'), mill.as(reply.body)('GET', '/api/v1/auth/verify')])
  expect(after.body.session_id).toBe(before.body.session_id)
})

test('a reused refresh token revokes its whole family', async () => {
  const user = await mill.register()
  const other = await signIn(user)
  const second = (await refresh(user.refresh_token)).body
  await scenario(mill, {
    when: () => refresh(user.refresh_token),
    status: 401,
    body: { code: 'auth.refresh_reused' },
    events: ['identity.session.revoked'],
  })
  expect(await refresh(second.refresh_token)).toMatchObject({ status: 401, body: { code: 'auth.session_revoked' } })
  expect(await mill.as(second)('GET', '/api/v1/auth/me')).toMatchObject({ status: 401, body: { code: 'auth.session_revoked' } })
  expect(await works(user)).toBe(false)
  // The family ends, not the account's other sessions.
  expect(await works(other)).toBe(true)
  await scenario(mill, { when: () => refresh(user.refresh_token), status: 401, body: { code: 'auth.session_revoked' }, events: [] })
})

test('of fifty uses of one refresh token at once exactly one wins, and its session ends', async () => {
  const user = await mill.register()
  const replies = await Promise.all(Array.from({ length: 50 }, () => refresh(user.refresh_token)))
  const won = replies.filter(({ status }) => status === 200)
  expect([won.length, replies.filter(({ status }) => status === 401).length]).toEqual([1, 49])
  expect(await works(won[0]?.body)).toBe(false)
})

const refreshWithGrace = (refresh_token: string) =>
  patient.call('POST', '/api/v1/auth/refresh', { body: { refresh_token }, headers: elsewhere() })

test('with a grace a token used a moment ago gives the same next one, until that was used', async () => {
  const user = await patient.register()
  const first = (await refreshWithGrace(user.refresh_token)).body
  clock.advance(9_000)
  const again = (await refreshWithGrace(user.refresh_token)).body
  expect(again.refresh_token).toBe(first.refresh_token)
  expect(await refreshWithGrace(first.refresh_token)).toMatchObject({ status: 200 })
  expect(await refreshWithGrace(user.refresh_token)).toMatchObject({ status: 401, body: { code: 'auth.refresh_reused' } })
})

test('a grace ends', async () => {
  const user = await patient.register()
  await refreshWithGrace(user.refresh_token)
  clock.advance(10_000)
  expect(await refreshWithGrace(user.refresh_token)).toMatchObject({ status: 401, body: { code: 'auth.refresh_reused' } })
})

test('with a grace fifty uses of one refresh token at once are one rotation', async () => {
  const user = await patient.register()
  const replies = await Promise.all(Array.from({ length: 50 }, () => refreshWithGrace(user.refresh_token)))
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
  expect(new Set(replies.map(({ body }) => body.refresh_token)).size).toBe(1)
  const rows = await patient.database.owner`
    select t.used_at
    from refresh_tokens t
    join sessions s on s.id = t.session_id
    where s.user_id = ${user.id}`
  expect(rows.length).toBe(2)
  expect(rows.filter(({ used_at }) => used_at === null).length).toBe(1)
})

test('fifty uses of a token that was stolen long ago end the session once', async () => {
  const user = await mill.register()
  await refresh(user.refresh_token)
  clock.advance(60_000)
  const before = (await mill.events()).length
  const replies = await Promise.all(Array.from({ length: 50 }, () => refresh(user.refresh_token)))
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([401]))
  expect((await mill.events()).slice(before).map(({ name }) => name)).toEqual(['identity.session.revoked'])
})

test('a refresh token is good for a day, or thirty with remember_me, and a session ends after ninety however it is used', async () => {
  const user = await mill.register()
  const day = 86_400_000
  clock.advance(day)
  expect(await refresh(user.refresh_token)).toMatchObject({ status: 401, body: { code: 'auth.refresh_expired' } })
  let remembered = await signIn(user, { remember_me: true })
  for (let at = 29; at < 90; at += 29) {
    clock.advance(29 * day)
    const reply = await refresh(remembered.refresh_token)
    expect(reply.status).toBe(200)
    remembered = reply.body
  }
  // 87 days on: the token that would live thirty days more ends with the session.
  clock.advance(3 * day)
  expect(await refresh(remembered.refresh_token)).toMatchObject({ status: 401, body: { code: 'auth.refresh_expired' } })
})

test('an access token never outlives its session', async () => {
  const user = await mill.register()
  await mill.database
    .owner`update sessions set expires_at = ${new Date(clock.now() + 60_000).toISOString()}::timestamptz where user_id = ${user.id}`
  const { body } = await refresh(user.refresh_token)
  expect(body.expires_in).toBe(60)
  expect(await works(body)).toBe(true)
  clock.advance(60_000)
  expect(await works(body)).toBe(false)
})

test.each([['mlrr_' + 'a'.repeat(43)], ['eyJ.e30.x'], ['x'], ["' or 1=1 --"]])('%s is not a refresh token', async (token) => {
  await scenario(mill, { when: () => refresh(token), status: 401, body: { code: 'auth.refresh_invalid' }, events: [] })
})

test('an access token is not a refresh token, and none at all is none', async () => {
  const user = await mill.register()
  expect(await refresh(user.access_token)).toMatchObject({ status: 401, body: { code: 'auth.refresh_invalid' } })
  expect(await mill.call('POST', '/api/v1/auth/refresh', { body: {}, headers: elsewhere() })).toMatchObject({
    status: 401,
    body: { code: 'auth.refresh_invalid' },
  })
  expect(await mill.call('POST', '/api/v1/auth/refresh', { body: { refresh_token: 1 }, headers: elsewhere() })).toMatchObject({
    status: 422,
  })
  expect(
    await mill.call('POST', '/api/v1/auth/refresh', {
      body: { refresh_token: user.refresh_token, user_id: user.id },
      headers: elsewhere(),
    }),
  ).toMatchObject({ status: 422 })
})

test('a page of ours keeps the refresh token in a cookie that no script and no other site can use', async () => {
  const user = await mill.register()
  const signedIn = await mill.call('POST', '/api/v1/auth/login', {
    body: { email: user.email, password: user.password, use_cookie: true, remember_me: true },
    headers: elsewhere(),
  })
  expect(signedIn).toMatchObject({ status: 200, body: { refresh_token: null } })
  const set = signedIn.headers.get('set-cookie') as string
  expect(set).toMatch(/^millrace_refresh=mlrr_[\w-]{43}; Path=\/api\/v1\/auth; Max-Age=2592000; HttpOnly; SameSite=Strict$/)
  const cookie = set.split(';')[0] as string
  const withCookie = (headers: { [name: string]: string }) =>
    mill.call('POST', '/api/v1/auth/refresh', { headers: { ...elsewhere(), cookie, ...headers } })

  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ] as const) {
    expect(await withCookie(headers)).toMatchObject({ status: 403, body: { code: 'auth.cross_site' } })
  }
  const first = await withCookie({ 'sec-fetch-site': 'same-origin' })
  expect(first).toMatchObject({ status: 200, body: { refresh_token: null } })
  expect(first.headers.get('set-cookie')).not.toBe(set)

  const bye = await mill.as(first.body)('POST', '/api/v1/auth/logout')
  expect(bye.headers.get('set-cookie')).toMatch(/^millrace_refresh=; .*Max-Age=0/)
})

test.each<[string, { [name: string]: string }]>([
  ['a page that names its origin', { origin: new URL(mill.url).origin }],
  ['a program, which names none', {}],
])('%s refreshes by the cookie', async (_, headers) => {
  const user = await mill.register()
  const cookie = `millrace_refresh=${user.refresh_token}`
  const reply = await mill.call('POST', '/api/v1/auth/refresh', { headers: { ...elsewhere(), cookie, ...headers } })
  expect(reply).toMatchObject({ status: 200, body: { refresh_token: null } })
  expect(reply.headers.get('set-cookie')).toContain('millrace_refresh=mlrr_')
})

test('logging out ends this session at once, its access token included, and no other', async () => {
  const user = await mill.register()
  const other = await signIn(user)
  expect(await works(user)).toBe(true)
  await scenario(mill, {
    when: () => user.call('POST', '/api/v1/auth/logout'),
    status: 200,
    body: { message: expect.any(String) },
    events: ['identity.session.revoked'],
  })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401, body: { code: 'auth.session_revoked' } })
  expect(await refresh(user.refresh_token)).toMatchObject({ status: 401, body: { code: 'auth.session_revoked' } })
  expect(await works(other)).toBe(true)
})

test('logging out everywhere ends every session of the user and of nobody else', async () => {
  const [user, stranger] = [await mill.register(), await mill.register()]
  const others = [await signIn(user), await signIn(user)]
  for (const tokens of [user, stranger, ...others]) expect(await works(tokens)).toBe(true)
  await scenario(mill, {
    when: () => user.call('POST', '/api/v1/auth/logout?all=true'),
    status: 200,
    events: ['identity.session.revoked', 'identity.session.revoked', 'identity.session.revoked'],
  })
  for (const tokens of [user, ...others]) expect(await works(tokens)).toBe(false)
  expect(await works(stranger)).toBe(true)
})

test('?all=false is this session alone, and nonsense is refused', async () => {
  const user = await mill.register()
  const other = await signIn(user)
  expect(await user.call('POST', '/api/v1/auth/logout?all=perhaps')).toMatchObject({ status: 422 })
  expect(await user.call('POST', '/api/v1/auth/logout?all=false')).toMatchObject({ status: 200 })
  expect(await works(other)).toBe(true)
})

test('a user sees where they are signed in and can end one of the sessions', async () => {
  const user = await mill.register()
  const phone = await signIn(
    user,
    {},
    { 'user-agent': 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1', 'x-forwarded-for': '198.51.100.9' },
  )
  const { body, status } = await user.call('GET', '/api/v1/auth/sessions')
  expect(status).toBe(200)
  expect(body.items.length).toBe(2)
  const there = body.items.find(({ is_current }: { is_current: boolean }) => !is_current)
  expect(there).toMatchObject({ device: 'Safari on iPhone', address: '198.51.100.9', last_seen_at: new Date(clock.now()).toISOString() })
  await scenario(mill, {
    when: () => user.call('DELETE', `/api/v1/auth/sessions/${there.id}`),
    status: 200,
    events: ['identity.session.revoked'],
  })
  expect(await works(phone)).toBe(false)
  expect(await works(user)).toBe(true)
  expect((await user.call('GET', '/api/v1/auth/sessions')).body.items.length).toBe(1)
  expect(await user.call('DELETE', `/api/v1/auth/sessions/${there.id}`)).toMatchObject({ status: 404 })
})

test("somebody else's session is not there", async () => {
  const [user, stranger] = [await mill.register(), await mill.register()]
  const { body } = await user.call('GET', '/api/v1/auth/verify')
  await scenario(mill, {
    when: () => stranger.call('DELETE', `/api/v1/auth/sessions/${body.session_id}`),
    status: 404,
    body: { code: 'auth.session_not_found' },
    events: [],
  })
  expect(await works(user)).toBe(true)
  expect(await user.call('DELETE', '/api/v1/auth/sessions/this-one')).toMatchObject({ status: 422 })
  expect(JSON.stringify((await stranger.call('GET', '/api/v1/auth/sessions')).body)).not.toContain(body.session_id)
})

test('beyond a hundred sessions the one not seen for longest ends', async () => {
  const user = await mill.register()
  const { body: current } = await user.call('GET', '/api/v1/auth/verify')
  const old = await signIn(user)
  const { body: verified } = await mill.as(old)('GET', '/api/v1/auth/verify')
  await mill.database.owner`
    insert into sessions (id, user_id, workspace_id, remember_me, created_at, last_seen_at, idle_expires_at, expires_at)
    select gen_random_uuid(), user_id, workspace_id, false, created_at, last_seen_at, idle_expires_at, expires_at
    from sessions, generate_series(1, 98)
    where id = ${current.session_id}`
  await mill.database.owner`update sessions set last_seen_at = last_seen_at - interval '1 hour' where id = ${verified.session_id}`
  await scenario(mill, {
    when: async () => ({ status: 200, body: await signIn(user) }),
    status: 200,
    events: ['identity.session.revoked', 'identity.session.created'],
  })
  expect(await works(old)).toBe(false)
  expect(await works(user)).toBe(true)
  const list = async (query: string) => (await user.call('GET', `/api/v1/auth/sessions?${query}`)).body
  const all = await list('limit=200')
  expect([all.items.length, all.next_cursor]).toEqual([100, null])
  const first = await list('total=true')
  expect([first.items.length, first.total]).toEqual([50, 100])
  expect([...first.items, ...(await list(`cursor=${first.next_cursor}`)).items]).toEqual(all.items)
  expect((await list('limit=200&order=asc')).items).toEqual(all.items.toReversed())
})
