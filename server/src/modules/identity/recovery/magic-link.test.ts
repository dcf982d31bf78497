import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp } from '../../../test-app.ts'
import { confirmed, linkIn, mailOf, mailsTo, poster, tokenOf } from './post.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(mill.close)
const post = poster(mill)
const linkFor = async (email: string, count = 1): Promise<string> => {
  expect(await post('magic-link', { email })).toMatchObject({ status: 202 })
  return tokenOf(mill, email, 'magic_link', count)
}

test('a link signs in, once', async () => {
  const user = await confirmed(mill, 'thandi')
  const token = await linkFor(user.email)
  expect(linkIn(await mailOf(mill, user.email, 'magic_link')).url).toMatch(new RegExp(`^${mill.url}/auth/magic#token=mlro_`))
  const { body } = await scenario(mill, {
    when: () => post('magic-link/verify', { token, remember_me: true }),
    status: 200,
    body: { user: { id: user.id, email_verified: true }, token_type: 'bearer' },
    events: ['identity.session.created'],
  })
  expect(await mill.as(body)('GET', '/api/v1/auth/me')).toMatchObject({ status: 200, body: { id: user.id } })
  const [event] = (await mill.events()).slice(-1)
  expect(event?.data).toMatchObject({ method: 'magic_link', user_id: user.id })
  expect(await post('magic-link/verify', { token })).toMatchObject({ status: 410, body: { code: 'auth.link_invalid' } })
  // Nothing of the account changed.
  expect(await post('login', { email: user.email, password: user.password })).toMatchObject({ status: 200 })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
})

test('with a cookie no script sees the refresh token', async () => {
  const user = await confirmed(mill, 'kagiso')
  const reply = await post('magic-link/verify', { token: await linkFor(user.email), use_cookie: true })
  expect(reply).toMatchObject({ status: 200, body: { refresh_token: null } })
  expect(reply.headers.get('set-cookie')).toMatch(/^millrace_refresh=.*HttpOnly/)
})

test('an address without an account gets the same answer and no account', async () => {
  const user = await confirmed(mill, 'lerato')
  const [unknown, known] = [await post('magic-link', { email: 'nobody@example.org' }), await post('magic-link', { email: user.email })]
  expect(unknown.status).toBe(202)
  expect(known).toMatchObject({ status: 202, body: unknown.body })
  await mailOf(mill, user.email, 'magic_link')
  expect(await mailsTo(mill, 'nobody@example.org')).toEqual([])
  expect(await mill.database.owner`select 1 from users where email = 'nobody@example.org'`).toEqual([])
})

test('of fifty that use one link at once, one is signed in', async () => {
  const user = await confirmed(mill, 'sipho')
  const token = await linkFor(user.email)
  const replies = await Promise.all(Array.from({ length: 50 }, () => post('magic-link/verify', { token })))
  expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array<number>(49).fill(410)])
})

test('a link that is old, replaced, garbled, of another kind or of an account that is switched off signs nobody in', async () => {
  const user = await confirmed(mill, 'naledi')
  const replaced = await linkFor(user.email)
  const token = await linkFor(user.email, 2)
  await post('password/forgot', { email: user.email })
  const reset = await tokenOf(mill, user.email, 'password_reset')
  for (const bad of [replaced, reset, `${token}x`, token.slice(0, -1), 'mlro_', user.refresh_token]) {
    await scenario(mill, {
      when: () => post('magic-link/verify', { token: bad }),
      status: 410,
      body: { code: 'auth.link_invalid' },
      events: [],
    })
  }
  expect(await post('password/reset', { token, password: 'violet-umbrella-39-harbour' })).toMatchObject({ status: 410 })
  expect(await post('magic-link/verify', { token, user_id: user.id })).toMatchObject({ status: 422 })
  await mill.database.owner`update users set is_active = false where id = ${user.id}`
  expect(await post('magic-link/verify', { token })).toMatchObject({ status: 410 })
  await mill.database.owner`update users set is_active = true where id = ${user.id}`
  clock.advance(10 * 60_000)
  expect(await post('magic-link/verify', { token })).toMatchObject({ status: 410 })
})

test('an account that nobody has confirmed is taken over by who opens the link: nothing of the stranger who made it is left', async () => {
  const stranger = await mill.register('victim')
  const verification = await tokenOf(mill, stranger.email, 'email_verification')
  const token = await linkFor(stranger.email)
  expect((await mailOf(mill, stranger.email, 'magic_link')).text).toContain('never confirmed')
  await scenario(mill, {
    when: () => post('magic-link/verify', { token }),
    status: 200,
    body: { user: { id: stranger.id, email_verified: true } },
    events: {
      'identity.session.revoked': 1,
      'identity.email.verified': 1,
      'identity.account.claimed': 1,
      'identity.session.created': 1,
      'mail.queued': 1,
    },
  })
  expect(await stranger.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  expect(await post('refresh', { refresh_token: stranger.refresh_token })).toMatchObject({ status: 401 })
  expect(await post('login', { email: stranger.email, password: stranger.password })).toMatchObject({ status: 401 })
  expect(await post('email/verify', { token: verification, password: stranger.password })).toMatchObject({ status: 410 })
  expect((await mailOf(mill, stranger.email, 'account_claimed')).text).toContain('yours')
})

test('switched off, it sends and takes nothing', async () => {
  const without = await testApp({ clock, env: { MILLRACE_MAGIC_LINK: 'false' } })
  try {
    for (const [path, body] of [
      ['magic-link', { email: 'thandi@example.org' }],
      ['magic-link/verify', { token: `mlro_${'a'.repeat(43)}` }],
    ] as const) {
      await scenario(without, { when: () => poster(without)(path, body), status: 403, body: { code: 'auth.magic_link_off' }, events: [] })
    }
  } finally {
    await without.close()
  }
})
