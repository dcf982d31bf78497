import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp } from '../../../test-app.ts'
import { hashPool } from '../passwords/hash-pool.ts'
import { confirmed, freePort, linkIn, mailOf, mailsTo, poster, tokenOf } from './post.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const port = await freePort()
const public_url = `http://mill.example.com:${port}`
const mill = await testApp({ clock, env: { PUBLIC_URL: public_url, PORT: String(port) } })
afterAll(mill.close)

const post = poster(mill)
const fresh = 'violet-umbrella-39-harbour'
const verified = (name: string) => confirmed(mill, name)

const linkFor = async (email: string, count = 1): Promise<string> => {
  expect(await post('password/forgot', { email })).toMatchObject({ status: 202 })
  return tokenOf(mill, email, 'password_reset', count)
}

const linksTo = async (email: string) => (await mailsTo(mill, email)).filter(({ kind }) => kind === 'identity.password_reset')

test('who forgot a password gets a link, sets a new one with it, and is signed in nowhere', async () => {
  const user = await verified('thandi')
  const token = await linkFor(user.email)
  await scenario(mill, {
    when: () => post('password/reset', { token, password: fresh }),
    status: 200,
    body: { message: expect.stringContaining('sign in with it') },
    not_said: [fresh, token, user.id],
    events: ['identity.session.revoked', 'identity.password.reset', 'mail.queued'],
  })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401, body: { code: 'auth.session_revoked' } })
  expect(await post('refresh', { refresh_token: user.refresh_token })).toMatchObject({ status: 401 })
  expect(await post('login', { email: user.email, password: user.password })).toMatchObject({ status: 401 })
  expect(await post('login', { email: user.email, password: fresh })).toMatchObject({ status: 200 })
  const notice = await mailOf(mill, user.email, 'password_was_reset')
  expect(notice.text).toContain('API keys go on working')
  for (const mail of await mailsTo(mill)) expect(mail.text + mail.html + mail.subject).not.toContain(fresh)
})

test('an address with an account and one without get the same answer for the same work, and only the first a mail', async () => {
  const known = await verified('kagiso')
  const pool = mill.app.use(hashPool)
  const before = pool.computed()
  const asked = async () => (await mill.events()).filter(({ name }) => name === 'identity.password_reset.requested').length
  const answers = []
  for (const email of ['nobody@example.org', known.email]) {
    const count = await asked()
    const { status, headers, body } = await post('password/forgot', { email })
    expect(await asked()).toBe(count + 1)
    const { date: _date, 'x-request-id': _id, ...rest } = Object.fromEntries(headers)
    answers.push({ status, body, headers: rest })
  }
  expect(answers[0]).toEqual(answers[1])
  expect(pool.computed()).toBe(before)
  // Asked for after the one without an account, so that one has been seen to.
  await mailOf(mill, known.email, 'password_reset')
  expect(await mailsTo(mill, 'nobody@example.org')).toEqual([])
})

test('of fifty that use one link at once, one sets the password', async () => {
  const user = await verified('lerato')
  const token = await linkFor(user.email)
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) => post('password/reset', { token, password: `${fresh}-number-${n}` })),
  )
  expect(replies.filter(({ status }) => status === 200).length).toBe(1)
  for (const { status } of replies) expect([200, 410, 503]).toContain(status)
  const winner = replies.findIndex(({ status }) => status === 200)
  expect(await post('login', { email: user.email, password: `${fresh}-number-${winner}` })).toMatchObject({ status: 200 })
})

test('a link that is used, replaced, old, garbled or of another kind sets nothing, and says no more than that', async () => {
  const user = await verified('sipho')
  const replaced = await linkFor(user.email)
  const token = await linkFor(user.email, 2)
  const refused = async (bad: unknown): Promise<void> => {
    await scenario(mill, {
      when: () => post('password/reset', { token: bad, password: fresh }),
      status: 410,
      body: { code: 'auth.link_invalid' },
      events: [],
    })
  }
  for (const bad of [replaced, `${token}x`, token.slice(1), 'mlro_', user.access_token.slice(0, 150), user.refresh_token, '{"$gt":""}'])
    await refused(bad)
  expect(await post('password/reset', { token: { $gt: '' }, password: fresh })).toMatchObject({ status: 422 })
  expect(await post('password/reset', { token, password: fresh, user_id: user.id })).toMatchObject({ status: 422 })
  await mill.database.owner`update one_time_tokens set purpose = 'something_else' where user_id = ${user.id}`
  await refused(token)
  await mill.database.owner`update one_time_tokens set purpose = 'password_reset' where user_id = ${user.id}`
  // The password is refused, and the link stays good for a better one.
  expect(await post('password/reset', { token, password: 'password1234' })).toMatchObject({
    status: 422,
    body: { code: 'auth.password_weak' },
  })
  expect(await post('password/reset', { token, password: 'siphosiphosipho' })).toMatchObject({ status: 422 })
  clock.advance(30 * 60_000 - 1_000)
  expect(await post('password/reset', { token, password: fresh })).toMatchObject({ status: 200 })
  await refused(token)
  const late = await linkFor(user.email, 3)
  clock.advance(30 * 60_000)
  await refused(late)
})

test('a link dies with the address that it was sent to, and for an account that is switched off', async () => {
  const user = await verified('naledi')
  const token = await linkFor(user.email)
  await mill.database.owner`update users set email = 'naledi@example.net' where id = ${user.id}`
  expect(await post('password/reset', { token, password: fresh })).toMatchObject({ status: 410 })
  await mill.database.owner`update users set email = ${user.email}, is_active = false where id = ${user.id}`
  expect(await post('password/reset', { token, password: fresh })).toMatchObject({ status: 410 })
  expect(await post('password/forgot', { email: user.email })).toMatchObject({ status: 202 })
  await linkFor((await verified('nandi')).email)
  expect((await linksTo(user.email)).length).toBe(1)
  await mill.database.owner`update users set is_active = true where id = ${user.id}`
  expect(await post('password/reset', { token, password: fresh })).toMatchObject({ status: 200 })
})

test('a sign-in with the old password that is under way while the password is reset opens nothing', async () => {
  const user = await verified('bongani')
  const token = await linkFor(user.email)
  const signing = Promise.all(Array.from({ length: 6 }, () => post('login', { email: user.email, password: user.password })))
  const reset = await post('password/reset', { token, password: fresh })
  expect(reset.status).toBe(200)
  for (const { status, body } of await signing) {
    if (status !== 200) continue
    // Who was quicker was signed in, and is so no longer.
    expect(await mill.as(body)('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  }
})

test('an account that nobody has confirmed is taken over by who opens a link sent to its address', async () => {
  const stranger = await mill.register('victim')
  const token = await linkFor(stranger.email)
  expect((await mailOf(mill, stranger.email, 'password_reset')).text).toContain('never confirmed')
  await scenario(mill, {
    when: () => post('password/reset', { token, password: fresh }),
    status: 200,
    events: {
      'identity.session.revoked': 1,
      'identity.email.verified': 1,
      'identity.account.claimed': 1,
      'identity.password.reset': 1,
      'mail.queued': 1,
    },
  })
  expect(await stranger.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  expect(await post('login', { email: stranger.email, password: stranger.password })).toMatchObject({ status: 401 })
  expect(await post('login', { email: stranger.email, password: fresh })).toMatchObject({
    status: 200,
    body: { user: { email_verified: true } },
  })
})

/** `fetch` would not send another `Host`. */
const withHeaders = async (headers: { readonly [name: string]: string }, email: string): Promise<number | undefined> => {
  const asking = request(`${mill.url}/api/v1/auth/password/forgot`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
  })
  asking.end(JSON.stringify({ email }))
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  answer.resume()
  return answer.statusCode
}

test('no header of a request decides where a link leads', async () => {
  const user = await verified('mpho')
  const poisons: readonly { readonly [name: string]: string }[] = [
    { host: 'evil.example' },
    { 'x-forwarded-host': 'evil.example', 'x-forwarded-server': 'evil.example' },
    { forwarded: 'host=evil.example;proto=http', 'x-forwarded-proto': 'http', 'x-forwarded-port': '666' },
    { origin: 'https://evil.example', referer: 'https://evil.example/x' },
    { 'x-original-url': 'https://evil.example', 'x-rewrite-url': 'https://evil.example', 'x-host': 'evil.example' },
  ]
  for (const [index, headers] of poisons.entries()) {
    expect(await withHeaders(headers, user.email)).toBe(202)
    const mail = await mailOf(mill, user.email, 'password_reset', index + 1)
    expect(linkIn(mail).url).toMatch(new RegExp(`^${public_url}/auth/reset#token=mlro_[\\w-]{43}$`))
    expect(mail.text + mail.html).not.toContain('evil')
  }
})

test('an account is sent five links an hour, and the last one stays good whoever goes on asking', async () => {
  const user = await verified('zanele')
  for (let count = 1; count <= 4; count++) await linkFor(user.email, count)
  const token = await linkFor(user.email, 5)
  const other = await verified('zodwa')
  for (let count = 1; count <= 3; count++) expect(await post('password/forgot', { email: user.email })).toMatchObject({ status: 202 })
  await linkFor(other.email)
  expect((await linksTo(user.email)).length).toBe(5)
  expect(await post('password/reset', { token, password: fresh })).toMatchObject({ status: 200 })
})

test('one address may ask twenty times an hour', async () => {
  const headers = { 'x-forwarded-for': '203.0.113.7' }
  const ask = () => post('password/forgot', { email: 'nobody@example.org' }, headers)
  for (let count = 1; count <= 20; count++) expect(await ask()).toMatchObject({ status: 202 })
  expect(await ask()).toMatchObject({ status: 429, body: { code: 'http.rate_limited' } })
})

test('after a reset a second process refuses the old session within a second', async () => {
  const user = await verified('palesa')
  const second = await testApp({ clock, beside: mill })
  try {
    const there = second.as(user)
    expect(await there('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
    const token = await linkFor(user.email)
    expect(await post('password/reset', { token, password: fresh })).toMatchObject({ status: 200 })
    await expect.poll(async () => (await there('GET', '/api/v1/auth/me')).status, { timeout: 1_000, interval: 20 }).toBe(401)
    // A link is good on every process, once.
    expect(await second.call('POST', '/api/v1/auth/password/reset', { body: { token, password: fresh } })).toMatchObject({ status: 410 })
  } finally {
    await second.close()
  }
})
