import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp } from '../../../test-app.ts'
import { confirmed, linkIn, mailOf, mailsTo, poster, tokenOf } from './post.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(mill.close)
const post = poster(mill)
const fresh = 'violet-umbrella-39-harbour'
const tokenFor = (email: string, count = 1) => tokenOf(mill, email, 'email_verification', count)
const verifiedIn = async (id: string): Promise<unknown> =>
  (await mill.database.owner`select email_verified from users where id = ${id}`)[0]?.['email_verified']

test('who registers gets a link, and confirms the address in their session', async () => {
  const user = await mill.register('thandi')
  const mail = await mailOf(mill, user.email, 'email_verification')
  expect(linkIn(mail).url).toMatch(new RegExp(`^${mill.url}/auth/verify-email#token=mlro_`))
  const { token } = linkIn(mail)
  await scenario(mill, {
    when: () => user.call('POST', '/api/v1/auth/email/verify', { body: { token } }),
    status: 200,
    body: { email: user.email },
    not_said: [token],
    events: ['identity.email.verified'],
  })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ body: { email_verified: true } })
  expect(await user.call('POST', '/api/v1/auth/email/verify', { body: { token } })).toMatchObject({
    status: 410,
    body: { code: 'auth.link_invalid' },
  })
})

test('where nobody is signed in, the link asks for the password of the account', async () => {
  const user = await mill.register('kagiso')
  const token = await tokenFor(user.email)
  await scenario(mill, {
    when: () => post('email/verify', { token }),
    status: 403,
    body: { code: 'auth.reauthentication_required', methods: ['session', 'password'] },
    not_said: [user.email, user.id],
    events: [],
  })
  await scenario(mill, {
    when: () => post('email/verify', { token, password: 'not the right one' }),
    status: 403,
    body: { code: 'auth.password_wrong' },
    events: ['identity.reauthentication.failed'],
  })
  expect(await verifiedIn(user.id)).toBe(false)
  expect(await post('email/verify', { token, password: user.password })).toMatchObject({ status: 200, body: { email: user.email } })
  expect(await verifiedIn(user.id)).toBe(true)
})

test('the link of an account that a stranger made does not bless it: neither alone nor in a session of somebody else', async () => {
  const stranger = await mill.register('victim')
  const other = await mill.register('lerato')
  const token = await tokenFor(stranger.email)
  expect(await post('email/verify', { token })).toMatchObject({ status: 403 })
  expect(await other.call('POST', '/api/v1/auth/email/verify', { body: { token } })).toMatchObject({ status: 403 })
  expect(await other.call('POST', '/api/v1/auth/email/verify', { body: { token, password: 'the one of lerato' } })).toMatchObject({
    status: 403,
    body: { code: 'auth.password_wrong' },
  })
  expect(await verifiedIn(stranger.id)).toBe(false)
  await scenario(mill, {
    when: () => post('email/disown', { token }),
    status: 200,
    events: ['identity.session.revoked', 'identity.account.disowned'],
  })
  expect(await stranger.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  expect(await post('refresh', { refresh_token: stranger.refresh_token })).toMatchObject({ status: 401 })
  expect(await post('login', { email: stranger.email, password: stranger.password })).toMatchObject({ status: 401 })
  // The owner of the address gets in by a link.
  expect(await post('password/forgot', { email: stranger.email })).toMatchObject({ status: 202 })
  const reset = await tokenOf(mill, stranger.email, 'password_reset')
  expect(await post('password/reset', { token: reset, password: fresh })).toMatchObject({ status: 200 })
  expect(await post('login', { email: stranger.email, password: fresh })).toMatchObject({ status: 200 })
})

test('a confirmed account cannot be disowned with an old link', async () => {
  const user = await mill.register('sipho')
  const token = await tokenFor(user.email)
  await mill.database.owner`update users set email_verified = true where id = ${user.id}`
  expect(await post('email/disown', { token })).toMatchObject({ status: 410 })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
})

test('wrong passwords with a link are limited like those of a sign-in, and count together with them', async () => {
  const user = await mill.register('bongani')
  const token = await tokenFor(user.email)
  const headers = { 'x-forwarded-for': '203.0.113.9' }
  for (let n = 0; n < 10; n++) await post('login', { email: user.email, password: 'wrong' }, headers)
  for (let n = 0; n < 10; n++) expect(await post('email/verify', { token, password: 'wrong' }, headers)).toMatchObject({ status: 403 })
  expect(await post('email/verify', { token, password: user.password }, headers)).toMatchObject({ status: 429 })
  expect(await post('email/verify', { token, password: user.password })).toMatchObject({ status: 200 })
})

test('of fifty that use one link at once, one confirms the address', async () => {
  const user = await mill.register('naledi')
  const token = await tokenFor(user.email)
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => post('email/verify', { token }, { authorization: `Bearer ${user.access_token}` })),
  )
  expect(replies.filter(({ status }) => status === 200).length).toBe(1)
  expect(replies.filter(({ status }) => status === 410).length).toBe(49)
  expect(
    (await mill.events()).filter(
      ({ name, data }) => name === 'identity.email.verified' && (data as { user_id: string }).user_id === user.id,
    ).length,
  ).toBe(1)
})

test('of fifty that disown an account at once, one does', async () => {
  const user = await mill.register('mpho')
  const token = await tokenFor(user.email)
  const replies = await Promise.all(Array.from({ length: 50 }, () => post('email/disown', { token })))
  expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array<number>(49).fill(410)])
})

test('a link can be asked for again, which ends the one before, until the address is confirmed', async () => {
  const user = await mill.register('zanele')
  const first = await tokenFor(user.email)
  await scenario(mill, {
    when: () => user.call('POST', '/api/v1/auth/email/verification'),
    status: 202,
    events: ['mail.queued'],
  })
  const second = await tokenFor(user.email, 2)
  expect(await user.call('POST', '/api/v1/auth/email/verify', { body: { token: first } })).toMatchObject({ status: 410 })
  for (let n = 0; n < 3; n++) expect(await user.call('POST', '/api/v1/auth/email/verification')).toMatchObject({ status: 202 })
  expect(await user.call('POST', '/api/v1/auth/email/verification')).toMatchObject({ status: 429, body: { code: 'http.rate_limited' } })
  expect((await mailsTo(mill, user.email)).length).toBe(5)
  expect(await user.call('POST', '/api/v1/auth/email/verify', { body: { token: second } })).toMatchObject({ status: 410 })
  const last = await tokenFor(user.email, 5)
  expect(await user.call('POST', '/api/v1/auth/email/verify', { body: { token: last } })).toMatchObject({ status: 200 })
  expect(await post('email/verification')).toMatchObject({ status: 401 })
  const done = await confirmed(mill, 'zodwa')
  expect(await done.call('POST', '/api/v1/auth/email/verification')).toMatchObject({
    status: 409,
    body: { code: 'auth.email_already_verified' },
  })
})

test('a link is good for a day, for its own purpose, and as long as the address is the one it was sent to', async () => {
  const user = await mill.register('palesa')
  const token = await tokenFor(user.email)
  expect(await post('password/reset', { token, password: fresh })).toMatchObject({ status: 410 })
  expect(await post('magic-link/verify', { token })).toMatchObject({ status: 410 })
  await mill.database.owner`update users set email = 'palesa@example.net' where id = ${user.id}`
  expect(await post('email/verify', { token, password: user.password })).toMatchObject({ status: 410 })
  await mill.database.owner`update users set email = ${user.email} where id = ${user.id}`
  clock.advance(86_400_000)
  expect(await post('email/verify', { token, password: user.password })).toMatchObject({ status: 410 })
})

test('where addresses have to be confirmed first, nobody is signed in before, and only who has the password is told why', async () => {
  const strict = await testApp({ clock, env: { MILLRACE_REQUIRE_VERIFIED_EMAIL: 'true' } })
  const strictly = poster(strict)
  try {
    const email = 'thandi@example.org'
    const registered = await scenario(strict, {
      when: () => strictly('register', { email, password: fresh }),
      status: 202,
      events: ['users.registered', 'workspaces.created', 'workspaces.member.added', 'mail.queued'],
    })
    expect(registered.body).toEqual({ message: expect.stringContaining('Confirm its address') })
    expect(await strictly('login', { email, password: 'not the right one' })).toMatchObject({
      status: 401,
      body: { code: 'auth.invalid_credentials' },
    })
    await scenario(strict, {
      when: () => strictly('login', { email, password: fresh }),
      status: 403,
      body: { code: 'auth.email_unverified' },
      events: ['mail.queued'],
    })
    const token = await tokenOf(strict, email, 'email_verification', 2)
    expect(await strictly('email/verify', { token, password: fresh })).toMatchObject({ status: 200 })
    expect(await strictly('login', { email, password: fresh })).toMatchObject({ status: 200 })
    const admin = await strict.admin()
    expect(await strictly('login', { email: admin.email, password: admin.password })).toMatchObject({ status: 200 })
  } finally {
    await strict.close()
  }
})

test.each(['password/forgot', 'magic-link'])('%s takes no address to return to', async (path) => {
  for (const field of ['redirect_to', 'redirect_url', 'return_to', 'next', 'callback', 'url']) {
    expect(await post(path, { email: 'nobody@example.org', [field]: 'https://evil.example' })).toMatchObject({
      status: 422,
      body: { errors: [{ path: field }] },
    })
  }
})
