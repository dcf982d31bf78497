import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp, type TestUser } from '../../../test-app.ts'
import { confirmed, mailOf, poster, tokenOf } from './post.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(mill.close)
const post = poster(mill)
const fresh = 'violet-umbrella-39-harbour'
const change = (user: Pick<TestUser, 'call'>, body: object) => user.call('POST', '/api/v1/auth/password/change', { body })

test('a changed password ends the other sessions and the links on their way, and leaves this session', async () => {
  const user = await confirmed(mill, 'thandi')
  const elsewhere = (await post('login', { email: user.email, password: user.password })).body
  await post('password/forgot', { email: user.email })
  const reset = await tokenOf(mill, user.email, 'password_reset')
  await post('magic-link', { email: user.email })
  const magic = await tokenOf(mill, user.email, 'magic_link')
  await scenario(mill, {
    when: () => change(user, { password: user.password, new_password: fresh }),
    status: 200,
    not_said: [fresh],
    events: ['identity.session.revoked', 'identity.password.changed', 'mail.queued'],
  })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  expect(await post('refresh', { refresh_token: user.refresh_token })).toMatchObject({ status: 200 })
  expect(await mill.as(elsewhere)('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  expect(await post('refresh', { refresh_token: elsewhere.refresh_token })).toMatchObject({ status: 401 })
  expect(await post('password/reset', { token: reset, password: 'another violet harbour' })).toMatchObject({ status: 410 })
  expect(await post('magic-link/verify', { token: magic })).toMatchObject({ status: 410 })
  expect(await post('login', { email: user.email, password: user.password })).toMatchObject({ status: 401 })
  expect(await post('login', { email: user.email, password: fresh })).toMatchObject({ status: 200 })
  expect((await mailOf(mill, user.email, 'password_changed')).text).toContain('other sessions have ended')
})

test('the old password is asked for, and the new one must be a good one', async () => {
  const user = await mill.register('kagiso')
  expect(await change(user, { new_password: fresh })).toMatchObject({
    status: 403,
    body: { code: 'auth.reauthentication_required', methods: ['password'] },
  })
  await scenario(mill, {
    when: () => change(user, { password: 'not the right one', new_password: fresh }),
    status: 403,
    body: { code: 'auth.password_wrong' },
    events: ['identity.reauthentication.failed'],
  })
  await scenario(mill, {
    when: () => change(user, { password: user.password, new_password: 'password1234' }),
    status: 422,
    body: { code: 'auth.password_weak', errors: [{ path: 'new_password' }] },
    events: [],
  })
  expect(await change(user, { password: user.password, new_password: fresh, user_id: user.id })).toMatchObject({ status: 422 })
  expect(await post('password/change', { password: user.password, new_password: fresh })).toMatchObject({ status: 401 })
})

test('of fifty that change one password at once, one does', async () => {
  const user = await mill.register('lerato')
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) => change(user, { password: user.password, new_password: `${fresh}-number-${n}` })),
  )
  expect(replies.filter(({ status }) => status === 200).length).toBe(1)
  for (const { status } of replies) expect([200, 403, 429, 503]).toContain(status)
  const winner = replies.findIndex(({ status }) => status === 200)
  expect(await post('login', { email: user.email, password: `${fresh}-number-${winner}` })).toMatchObject({ status: 200 })
})

test('an account without a password gets one in a session younger than 15 minutes', async () => {
  const user = await mill.register('sipho')
  await post('magic-link', { email: user.email })
  // Nobody had confirmed the address, so the password goes.
  const signedIn = await post('magic-link/verify', { token: await tokenOf(mill, user.email, 'magic_link') })
  const session = { call: mill.as(signedIn.body) }
  clock.advance(15 * 60_000)
  expect(await change(session, { new_password: fresh })).toMatchObject({ status: 403, body: { code: 'auth.reauthentication_required' } })
  expect(await change(session, { new_password: fresh, password: user.password })).toMatchObject({ status: 403 })
  await post('magic-link', { email: user.email })
  const again = { call: mill.as((await post('magic-link/verify', { token: await tokenOf(mill, user.email, 'magic_link', 2) })).body) }
  clock.advance(15 * 60_000 - 1_000)
  expect(await change(again, { new_password: fresh })).toMatchObject({ status: 200 })
  expect(await post('login', { email: user.email, password: fresh })).toMatchObject({ status: 200 })
})

test('after a change a second process refuses the other session within a second', async () => {
  const user = await mill.register('palesa')
  const elsewhere = (await post('login', { email: user.email, password: user.password })).body
  const second = await testApp({ clock, beside: mill })
  try {
    const there = second.as(elsewhere)
    expect(await there('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
    expect(await change(user, { password: user.password, new_password: fresh })).toMatchObject({ status: 200 })
    await expect.poll(async () => (await there('GET', '/api/v1/auth/me')).status, { timeout: 1_000, interval: 20 }).toBe(401)
  } finally {
    await second.close()
  }
})

test('a bcrypt hash that was brought along lets its owner in, and is an argon2id one from then on', async () => {
  const user = await mill.register('naledi')
  // The password is "U*U", from the vectors of crypt_blowfish.
  await mill.database
    .owner`update user_passwords set hash = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' where user_id = ${user.id}`
  const hashOf = async () => (await mill.database.owner`select hash from user_passwords where user_id = ${user.id}`)[0]?.['hash']
  expect(await post('login', { email: user.email, password: 'U*U*U' })).toMatchObject({ status: 401 })
  expect(await hashOf()).toMatch(/^\$2a\$/)
  expect(await post('login', { email: user.email, password: 'U*U' })).toMatchObject({ status: 200 })
  expect(await hashOf()).toMatch(/^\$argon2id\$/)
  expect(await post('login', { email: user.email, password: 'U*U' })).toMatchObject({ status: 200 })
})
