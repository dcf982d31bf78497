import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp } from '../../../test-app.ts'
import { hashPool } from '../passwords/hash-pool.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(mill.close)

let addresses = 0
/** A request from an address that nobody used before, so that no rate limit is met by accident. */
const elsewhere = () => ({ 'x-forwarded-for': `198.19.${(addresses += 1) >> 8}.${addresses & 255}` })
const post = (path: string, body: unknown, headers: { [name: string]: string } = {}) =>
  mill.call('POST', path, { body, headers: { ...elsewhere(), ...headers } })
const password = 'violet-umbrella-39-harbour'

test('whoever registers gets an account, a workspace of their own and is signed in', async () => {
  const reply = await scenario(mill, {
    when: () => post('/api/v1/auth/register', { email: 'Thandi.Mokoena@Example.ORG', password, name: 'Thandi Mokoena' }),
    status: 201,
    body: {
      user: {
        email: 'thandi.mokoena@example.org',
        username: 'thandi.mokoena',
        name: 'Thandi Mokoena',
        avatar_url: null,
        role: 'user',
        plan: 'enterprise',
        is_active: true,
        email_verified: false,
        settings: {},
        created_at: '2026-11-20T09:50:00.000Z',
        updated_at: '2026-11-20T09:50:00.000Z',
      },
      token_type: 'bearer',
      expires_in: 3600,
    },
    events: ['users.registered', 'workspaces.created', 'workspaces.member.added', 'mail.queued', 'identity.session.created'],
  })
  expect(Object.keys(reply.body).toSorted()).toEqual(['access_token', 'expires_in', 'refresh_token', 'token_type', 'user'])
  expect(Object.keys(reply.body.user).toSorted()).toEqual(
    [
      'id',
      'email',
      'username',
      'name',
      'avatar_url',
      'role',
      'plan',
      'is_active',
      'email_verified',
      'settings',
      'created_at',
      'updated_at',
    ].toSorted(),
  )
  expect(reply.headers.get('cache-control')).toBe('no-store')
  expect(reply.headers.get('set-cookie')).toBe(null)
  const me = await mill.as(reply.body)('GET', '/api/v1/auth/me')
  expect(me).toMatchObject({
    status: 200,
    body: { ...reply.body.user, workspaces: [{ slug: 'thandi-mokoena', name: 'Thandi Mokoena', is_personal: true, role: 'owner' }] },
  })
  expect(me.body.workspace_id).toBe(me.body.workspaces[0].id)
})

test('an address has one account, however it is typed', async () => {
  const { email } = await mill.register('kagiso')
  await scenario(mill, {
    when: () => post('/api/v1/auth/register', { email: email.toUpperCase(), password }),
    status: 409,
    body: { code: 'users.email_taken' },
    events: [],
  })
  expect(await post('/api/v1/auth/login', { email: email.toUpperCase(), password: 'a mill turns on water' })).toMatchObject({ status: 200 })
})

test('of fifty that register one address at once, one gets it', async () => {
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => post('/api/v1/auth/register', { email: 'race@example.org', password })),
  )
  expect(replies.filter(({ status }) => status === 201).length).toBe(1)
  for (const { status } of replies) expect([201, 409, 503]).toContain(status)
  expect(
    (await mill.events()).filter(
      ({ name, data }) => name === 'users.registered' && (data as { email: string }).email === 'race@example.org',
    ).length,
  ).toBe(1)
})

test('a username is taken as it was wished or refused, and made up where there was no wish', async () => {
  expect(await post('/api/v1/auth/register', { email: 'a1@example.org', password, username: 'Naledi' })).toMatchObject({
    status: 201,
    body: { user: { username: 'naledi' } },
  })
  expect(await post('/api/v1/auth/register', { email: 'a2@example.org', password, username: 'nALEDI' })).toMatchObject({
    status: 409,
    body: { code: 'users.username_taken' },
  })
  const second = await post('/api/v1/auth/register', { email: 'naledi@example.net', password })
  expect(second).toMatchObject({ status: 201, body: { user: { username: expect.stringMatching(/^naledi-[0-9a-f]{4}$/) } } })
  const odd = await post('/api/v1/auth/register', { email: '!#$@example.net', password })
  expect(odd).toMatchObject({ status: 201, body: { user: { username: 'user' } } })
})

test.each([
  [{}, ['email', 'password']],
  [{ email: 'x@example.org', password, role: 'admin' }, ['role']],
  [{ email: 'x@example.org', password, plan: 'premium' }, ['plan']],
  [{ email: 'x@example.org', password, is_active: true, id: '01900000-0000-7000-8000-000000000000' }, ['id', 'is_active']],
  [{ email: 'x@example.org', password, email_verified: true }, ['email_verified']],
  [{ email: 'no address', password }, ['email']],
  [{ email: 'x@example.org\u0000', password }, null],
  [{ email: ['x@example.org'], password }, ['email']],
  [{ email: 'x@example.org', password: { $ne: null } }, ['password']],
  [{ email: 'x@example.org', password, username: '../etc' }, ['username']],
  [{ email: 'x@example.org', password, name: '' }, ['name']],
  [{ email: 'x@example.org', password: 'short' }, ['password']],
  [{ email: 'x@example.org', password: 'password1234' }, ['password']],
  [{ email: 'violetumbrella@example.org', password: 'violetumbrella' }, ['password']],
])('registration refuses %j', async (body, paths) => {
  const reply = await scenario(mill, { when: () => post('/api/v1/auth/register', body), status: 422, events: [] })
  if (paths !== null) expect(reply.body.errors.map(({ path }: { path: string }) => path).toSorted()).toEqual(paths)
  expect(JSON.stringify(reply.body)).not.toContain(password)
})

test.each([
  [{}],
  [{ email: 'x@example.org' }],
  [{ email: 'x@example.org', password: '' }],
  [{ email: 'x@example.org', password, remember_me: 'yes' }],
  [{ email: 'x@example.org', password, role: 'admin' }],
  [{ email: 'x@example.org', password, user_id: '01900000-0000-7000-8000-000000000000' }],
  [{ email: { $gt: '' }, password }],
  [{ email: 'x@example.org', password: ['a', 'b'] }],
  [{ email: 'x@example.org', password: 'x'.repeat(1_025) }],
])('a sign-in refuses %.80j', async (body) => {
  await scenario(mill, { when: () => post('/api/v1/auth/login', body), status: 422, events: [] })
})

test('a wrong password, an unknown address and an account that is switched off get the same answer for the same work', async () => {
  const user = await mill.register('lerato')
  const off = await mill.register('sipho')
  await mill.database.owner`update users set is_active = false where id = ${off.id}`
  const pool = mill.app.use(hashPool)
  const answers = []
  for (const body of [
    { email: user.email, password: 'not the right one' },
    { email: 'nobody@example.org', password: user.password },
    { email: off.email, password: off.password },
  ]) {
    const before = pool.computed()
    const {
      body: problem,
      headers,
      status,
    } = await scenario(mill, {
      when: () => post('/api/v1/auth/login', body),
      status: 401,
      body: { code: 'auth.invalid_credentials' },
      events: ['identity.login.failed'],
    })
    expect(pool.computed() - before).toBe(1)
    const { request_id: _, ...same } = problem
    answers.push({ status, same, type: headers.get('content-type'), length: headers.get('content-length') })
  }
  expect(answers[1]).toEqual(answers[0])
  expect(answers[2]).toEqual(answers[0])
})

test('a password in no reply, event or row but as its hash', async () => {
  const canary = 'canary-harbour-umbrella-81'
  const reply = await post('/api/v1/auth/register', { email: 'canary@example.org', password: canary })
  await post('/api/v1/auth/login', { email: 'canary@example.org', password: canary })
  await post('/api/v1/auth/login', { email: 'canary@example.org', password: `${canary}x` })
  const me = await mill.as(reply.body)('GET', '/api/v1/auth/me')
  const sessions = await mill.as(reply.body)('GET', '/api/v1/auth/sessions')
  const rows = await mill.database.owner`
    select row_to_json(u) as row from users u union all select row_to_json(p) from user_passwords p
    union all select row_to_json(s) from sessions s union all select row_to_json(t) from refresh_tokens t`
  const everything = JSON.stringify([reply.body, me.body, sessions.body, await mill.events(), rows])
  expect(everything).toContain('canary@example.org')
  expect(everything).not.toContain(canary)
  const stored = JSON.stringify([await mill.events(), rows])
  expect(stored).not.toContain(reply.body.refresh_token.slice(5))
  expect(stored).not.toContain(reply.body.access_token)
})

test('a sign-in with remember_me lasts thirty days, without it one', async () => {
  const user = await mill.register('ayanda')
  const days = async (remember_me: boolean): Promise<number> => {
    const { body } = await post('/api/v1/auth/login', { email: user.email, password: user.password, remember_me })
    const list = await mill.as(body)('GET', '/api/v1/auth/sessions')
    const current = list.body.items.find(({ is_current }: { is_current: boolean }) => is_current)
    return (Date.parse(current.expires_at) - clock.now()) / 86_400_000
  }
  expect(await days(false)).toBe(1)
  expect(await days(true)).toBe(30)
})

test('verify says what the token is good for, and until when', async () => {
  const user = await mill.register('zanele')
  const { status, body } = await user.call('GET', '/api/v1/auth/verify')
  expect(status).toBe(200)
  expect(body).toEqual({
    valid: true,
    user_id: user.id,
    session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    api_key_id: null,
    expires_at: new Date(clock.now() + 3_600_000).toISOString(),
    scopes: ['*'],
  })
})

test('an access token is good for an hour', async () => {
  const user = await mill.register('pieter')
  expect(await user.call('GET', '/api/v1/auth/verify')).toMatchObject({ status: 200 })
  clock.advance(3_600_000 - 1)
  expect(await user.call('GET', '/api/v1/auth/verify')).toMatchObject({ status: 200 })
  clock.advance(1)
  const late = await user.call('GET', '/api/v1/auth/verify')
  expect(late).toMatchObject({ status: 401, body: { code: 'auth.token_expired' } })
  expect(late.headers.get('www-authenticate')).toMatch(/^Bearer/)
})

test.each([
  ['GET', '/api/v1/auth/me'],
  ['GET', '/api/v1/auth/verify'],
  ['GET', '/api/v1/auth/sessions'],
  ['DELETE', '/api/v1/auth/sessions/01900000-0000-7000-8000-000000000000'],
  ['POST', '/api/v1/auth/logout'],
  ['GET', '/api/v1/users/profile'],
  ['PUT', '/api/v1/users/profile'],
  ['GET', '/api/v1/workspaces'],
  ['PUT', '/api/v1/users/admin/users/01900000-0000-7000-8000-000000000000/status'],
])('%s %s is for those who are signed in', async (method, path) => {
  const user = await mill.register()
  expect(await mill.call(method, path)).toMatchObject({ status: 401, body: { code: 'http.unauthenticated' } })
  for (const bearer of [user.refresh_token, `${user.access_token}x`, 'rubbish', `${user.access_token.split('.').slice(0, 2).join('.')}.`]) {
    expect(await mill.call(method, path, { headers: { authorization: `Bearer ${bearer}` } })).toMatchObject({
      status: 401,
      body: { code: 'auth.token_invalid' },
    })
  }
  expect(await mill.call(method, path, { headers: { 'x-api-key': 'mlr_abc' } })).toMatchObject({
    status: 401,
    body: { code: 'auth.api_key_invalid' },
  })
  expect(await mill.call(method, path, { headers: { authorization: 'Bearer mlr_abc' } })).toMatchObject({
    status: 401,
    body: { code: 'auth.api_key_invalid' },
  })
})

test("another workspace is chosen by its id, if it is one of the caller's", async () => {
  const [one, two] = [await mill.register(), await mill.register()]
  const inWorkspace = (id: string) => mill.as(one)('GET', '/api/v1/auth/me', { headers: { 'x-workspace-id': id } })
  expect(await inWorkspace(one.workspace_id.toUpperCase())).toMatchObject({ status: 200, body: { workspace_id: one.workspace_id } })
  for (const id of [two.workspace_id, '01900000-0000-7000-8000-000000000000', 'mine', "' or 1=1"]) {
    expect(await inWorkspace(id)).toMatchObject({ status: 404, body: { code: 'workspaces.not_found' } })
  }
})

test('the public keys are there for everyone, without their private halves', async () => {
  const { status, body } = await mill.call('GET', '/.well-known/jwks.json')
  expect(status).toBe(200)
  expect(body.keys.length).toBe(1)
  expect(Object.keys(body.keys[0]).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
})

test('who guesses a password is stopped where they are, and the owner elsewhere is not', async () => {
  const user = await mill.register('bongani')
  const guesser = { 'x-forwarded-for': '203.0.113.7' }
  const guess = (n: number) =>
    mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: `wrong-guess-number-${n}` }, headers: guesser })
  for (let n = 0; n < 20; n++) expect(await guess(n)).toMatchObject({ status: 401 })
  const stopped = await guess(20)
  expect(stopped).toMatchObject({ status: 429, body: { code: 'identity.too_many_attempts' } })
  expect(Number(stopped.headers.get('retry-after'))).toBeGreaterThan(0)
  const right = { email: user.email, password: user.password }
  expect(await mill.call('POST', '/api/v1/auth/login', { body: right, headers: guesser })).toMatchObject({ status: 429 })
  expect(await post('/api/v1/auth/login', right)).toMatchObject({ status: 200 })
})

test('one address that signs in sixty times a minute is asked to wait', async () => {
  const headers = { 'x-forwarded-for': '203.0.113.8' }
  const replies = []
  for (let n = 0; n < 61; n++) replies.push(await mill.call('POST', '/api/v1/auth/login', { body: { email: 'x' }, headers }))
  expect(replies.slice(0, 60).every(({ status }) => status === 422)).toBe(true)
  expect(replies[60]).toMatchObject({ status: 429, body: { code: 'http.rate_limited', 'violated-policies': ['sign-in'] } })
})

test('a repeated registration with one Idempotency-Key makes one account, and gives the same tokens', async () => {
  const headers = { ...elsewhere(), 'idempotency-key': '"register-once"' }
  const register = (more: object = {}) => post('/api/v1/auth/register', { email: 'once@example.org', password, ...more }, headers)
  const first = await scenario(mill, {
    when: () => register(),
    status: 201,
    events: ['users.registered', 'workspaces.created', 'workspaces.member.added', 'mail.queued', 'identity.session.created'],
  })
  const second = await scenario(mill, { when: () => register(), status: 201, body: first.body, events: [] })
  expect(second.headers.get('idempotency-replayed')).toBe('true')
  await scenario(mill, { when: () => register({ name: 'Other' }), status: 422, body: { code: 'http.idempotency_mismatch' }, events: [] })
})

test('a code for a second factor may be given by whoever has none', async () => {
  const { email } = await mill.register()
  expect(await post('/api/v1/auth/login', { email, password: 'a mill turns on water', code: '123456' })).toMatchObject({ status: 200 })
})
