import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp, type TestUser } from '../../../test-app.ts'
import { confirmed, linkIn, mailOf, mailsTo, poster, tokenOf } from './post.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(mill.close)
const post = poster(mill)
const ask = (user: TestUser, email: string, password: string | undefined = user.password) =>
  user.call('POST', '/api/v1/auth/email/change', { body: { email, ...(password === undefined ? {} : { password }) } })
const use = (user: TestUser, token: string) => user.call('POST', '/api/v1/auth/email/verify', { body: { token } })
const emailOf = async (user: TestUser) => (await mill.database.owner`select email from users where id = ${user.id}`)[0]?.['email']

test('an address changes when the link that was sent to the new one is used, and the old one is told', async () => {
  const user = await confirmed(mill, 'thandi')
  const elsewhere = (await post('login', { email: user.email, password: user.password })).body
  expect(await ask(user, 'Thandi@Example.NET')).toMatchObject({ status: 202 })
  const mail = await mailOf(mill, 'thandi@example.net', 'email_change')
  expect(linkIn(mail).url).toMatch(new RegExp(`^${mill.url}/auth/change-email#token=mlro_`))
  expect((await mailOf(mill, user.email, 'email_change_requested')).text).toContain('thandi@example.net')
  expect(await emailOf(user)).toBe(user.email)
  const reset = await (async () => {
    await post('password/forgot', { email: user.email })
    return tokenOf(mill, user.email, 'password_reset')
  })()
  await scenario(mill, {
    when: () => use(user, linkIn(mail).token),
    status: 200,
    body: { email: 'thandi@example.net' },
    events: ['identity.email.changed', 'mail.queued'],
  })
  const [event] = await mill.database.owner`select changes from events where name = 'identity.email.changed'`
  expect(event?.['changes']).toMatchObject({ before: { email: user.email }, after: { email: 'thandi@example.net' } })
  expect((await mailOf(mill, user.email, 'email_changed')).text).toContain('thandi@example.net')
  // Sessions stay, links to the old address die.
  for (const session of [user, elsewhere]) {
    expect(await mill.as(session)('GET', '/api/v1/auth/me')).toMatchObject({
      status: 200,
      body: { email: 'thandi@example.net', email_verified: true },
    })
  }
  expect(await post('password/reset', { token: reset, password: 'violet-umbrella-39-harbour' })).toMatchObject({ status: 410 })
  expect(await post('login', { email: user.email, password: user.password })).toMatchObject({ status: 401 })
  expect(await post('login', { email: 'thandi@example.net', password: user.password })).toMatchObject({ status: 200 })
})

test('an address that somebody else has gets the same reply, and its owner a notice instead of a link', async () => {
  const [user, owner] = [await confirmed(mill, 'kagiso'), await confirmed(mill, 'lerato')]
  const answers = [await ask(user, 'nobody-has-this@example.net'), await ask(user, owner.email)]
  expect(answers[0]?.status).toBe(202)
  expect(answers[1]).toMatchObject({ status: 202, body: answers[0]?.body })
  expect((await mailOf(mill, owner.email, 'email_change_taken')).text).not.toContain(user.email)
  await mailOf(mill, user.email, 'email_change_requested', 2)
  expect((await mailsTo(mill, owner.email)).map(({ kind }) => kind)).not.toContain('identity.email_change')
})

test('an address that was taken while the link was on its way is not given away', async () => {
  const user = await confirmed(mill, 'sipho')
  await ask(user, 'late@example.org')
  const token = await tokenOf(mill, 'late@example.org', 'email_change')
  await mill.register('late')
  expect(await use(user, token)).toMatchObject({ status: 409, body: { code: 'users.email_taken' } })
  expect(await emailOf(user)).toBe(user.email)
})

test('the owner of the new address cannot be made to give it to a stranger by opening the link', async () => {
  const [stranger, victim] = [await confirmed(mill, 'stranger'), await confirmed(mill, 'victim')]
  await ask(stranger, 'victim@example.net')
  const token = await tokenOf(mill, 'victim@example.net', 'email_change')
  expect(await post('email/verify', { token })).toMatchObject({ status: 403, body: { code: 'auth.reauthentication_required' } })
  expect(await use(victim, token)).toMatchObject({ status: 403 })
  expect(await post('email/disown', { token })).toMatchObject({ status: 410 })
  expect(await emailOf(stranger)).toBe(stranger.email)
})

test('it asks for the password, and a wrong one changes and sends nothing', async () => {
  const user = await confirmed(mill, 'naledi')
  const without = await user.call('POST', '/api/v1/auth/email/change', { body: { email: 'n@example.net' } })
  expect(without).toMatchObject({ status: 403, body: { code: 'auth.reauthentication_required', methods: ['password'] } })
  await scenario(mill, {
    when: () => ask(user, 'n@example.net', 'not the right one'),
    status: 403,
    body: { code: 'auth.password_wrong' },
    events: ['identity.reauthentication.failed'],
  })
  expect(await ask(user, user.email.toUpperCase())).toMatchObject({ status: 409, body: { code: 'auth.email_unchanged' } })
  expect(await post('email/change', { email: 'n@example.net', password: user.password })).toMatchObject({ status: 401 })
})

test('of fifty that use one link at once, one changes the address; an old or a replaced one changes nothing', async () => {
  const user = await confirmed(mill, 'mpho')
  await ask(user, 'mpho@example.net')
  const replaced = await tokenOf(mill, 'mpho@example.net', 'email_change')
  await ask(user, 'mpho@example.com')
  const token = await tokenOf(mill, 'mpho@example.com', 'email_change')
  expect(await use(user, replaced)).toMatchObject({ status: 410 })
  const headers = { authorization: `Bearer ${user.access_token}` }
  const replies = await Promise.all(Array.from({ length: 50 }, () => post('email/verify', { token }, headers)))
  expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array<number>(49).fill(410)])
  expect(await emailOf(user)).toBe('mpho@example.com')
  await ask(user, 'mpho@example.net')
  const late = await tokenOf(mill, 'mpho@example.net', 'email_change', 2)
  clock.advance(3_600_000)
  const again = (await post('login', { email: 'mpho@example.com', password: user.password })).body
  expect(await post('email/verify', { token: late }, { authorization: `Bearer ${again.access_token}` })).toMatchObject({ status: 410 })
})
