import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp, type TestUser } from '../../../test-app.ts'
import type { Browser } from './browser.testing.ts'
import { testIssuer } from './issuer.testing.ts'
import { fragmentOf, newBrowser, visitor } from './stage.testing.ts'

const client = { client_id: 'mill', client_secret: 'a-secret-of-the-client-for-the-test' }
const forge = await testIssuer('mill')
const clock = manualClock(Date.now())
const mill = await testApp({
  clock,
  env: { MILLRACE_OIDC_PROVIDERS: JSON.stringify([{ name: 'forge', label: 'Forge', issuer: forge.issuer, ...client }]) },
})
afterAll(async () => {
  await mill.close()
  await forge.close()
})

const at = visitor(mill, 'forge')
type Caller = Pick<TestUser, 'access_token'>
const begin = (browser: Browser, user: Caller, body: object) =>
  browser.post(`${mill.url}/api/v1/auth/oidc/forge/link`, body, { authorization: `Bearer ${user.access_token}` })
const goThere = async (browser: Browser, user: TestUser): Promise<string> => {
  const { body } = await begin(browser, user, { password: user.password, redirect_to: '/settings' })
  return (await browser.visit(body.authorization_url)).location as string
}
const identities = async (user: Caller) => (await mill.as(user)('GET', '/api/v1/auth/identities')).body.items

test('who is signed in links a provider, and signs in with it from then on', async () => {
  const user = await mill.register()
  forge.person = { sub: 'linked', email: 'quite-another@example.org' }
  const browser = newBrowser()
  const back = await goThere(browser, user)
  const before = (await mill.events()).length
  expect((await browser.visit(back)).location).toBe(`${mill.url}/settings#linked=forge`)
  const recorded = (await mill.events()).slice(before)
  expect(recorded.map(({ name }) => name)).toEqual(['identity.identity.linked', 'mail.queued'])
  expect(recorded[0]).toMatchObject({
    actor: { type: 'user', id: user.id },
    data: { user_id: user.id, issuer: forge.issuer, subject: 'linked', provider: 'forge' },
  })
  expect((await at.signIn()).body.user).toMatchObject({ id: user.id, email: user.email, email_verified: false })
  // Once more is no mistake, and changes nothing.
  const again = newBrowser()
  expect((await again.visit(await goThere(again, user))).location).toMatch(/#linked=forge$/)
  expect(await identities(user)).toHaveLength(1)
})

test('an identity belongs to one account', async () => {
  const [one, two] = [await mill.register(), await mill.register()]
  forge.person = { sub: 'wanted', email: 'wanted@example.org', email_verified: true }
  const browsers = [newBrowser(), newBrowser()] as const
  const ways = [await goThere(browsers[0], one), await goThere(browsers[1], two)] as const
  const ends = await Promise.all([browsers[0].visit(ways[0]), browsers[1].visit(ways[1])])
  const told = ends.map(({ location }) => fragmentOf(location))
  expect(told.filter(({ linked }) => linked === 'forge')).toHaveLength(1)
  expect(told.filter(({ error }) => error === 'auth.identity_taken')).toHaveLength(1)
})

test('linking takes the password of the account, not an access token alone', async () => {
  const user = await mill.register()
  for (const [body, code, events] of [
    [{}, 'auth.reauthentication_required', []],
    [{ password: 'wrong-guess-number-one' }, 'auth.password_wrong', ['identity.reauthentication.failed']],
  ] as const) {
    await scenario(mill, { when: () => begin(newBrowser(), user, body), status: 403, body: { code }, events })
  }
  expect(await mill.call('POST', '/api/v1/auth/oidc/forge/link', { body: {} })).toMatchObject({ status: 401 })
})

test('a link that was begun is over when its session is', async () => {
  const user = await mill.register()
  forge.person = { sub: 'too-late' }
  const browser = newBrowser()
  const back = await goThere(browser, user)
  await user.call('POST', '/api/v1/auth/logout')
  expect(fragmentOf((await browser.visit(back)).location)).toMatchObject({ error: 'auth.session_revoked' })
})

test('a link that somebody began in another browser links nothing', async () => {
  const stranger = await mill.register()
  forge.person = { sub: 'a-victim-at-the-provider' }
  const back = await goThere(newBrowser(), stranger)
  expect(await newBrowser().visit(back)).toMatchObject({ status: 400 })
  expect(await identities(stranger)).toEqual([])
})

test('the last way to sign in cannot be unlinked; any other can, and its owner is told', async () => {
  forge.person = { sub: 'only', email: 'only@example.org', email_verified: true }
  const { body: only } = await at.signIn()
  const [identity] = await identities(only)
  const unlink = (user: Caller, id: string, body: object = {}) => mill.as(user)('DELETE', `/api/v1/auth/identities/${id}`, { body })
  await scenario(mill, { when: () => unlink(only, identity.id), status: 409, body: { code: 'auth.last_way_in' }, events: [] })

  // With a second one there are two, and of two that go at once one stays.
  forge.person = { sub: 'second' }
  const browser = newBrowser()
  const { body } = await begin(browser, only, {})
  await browser.visit((await browser.visit(body.authorization_url)).location as string)
  const both = await identities(only)
  expect(both).toHaveLength(2)
  const replies = await Promise.all(both.map(({ id }: { id: string }) => unlink(only, id)))
  expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409])

  const user = await mill.register()
  forge.person = { sub: 'beside-a-password' }
  const second = newBrowser()
  await second.visit(await goThere(second, user))
  const [mine] = await identities(user)
  expect(await unlink(user, mine.id)).toMatchObject({ status: 403, body: { code: 'auth.reauthentication_required' } })
  expect(await unlink(only, mine.id)).toMatchObject({ status: 404, body: { code: 'auth.identity_not_found' } })
  await scenario(mill, {
    when: () => unlink(user, mine.id, { password: user.password }),
    status: 200,
    events: ['identity.identity.unlinked', 'mail.queued'],
  })
  expect(await identities(user)).toEqual([])
})

test('who has no password links and unlinks within fifteen minutes of signing in', async () => {
  forge.person = { sub: 'a-while-ago', email: 'a-while-ago@example.org', email_verified: true }
  const { body: user } = await at.signIn()
  clock.advance(900_000)
  expect(await begin(newBrowser(), user, {})).toMatchObject({ status: 403, body: { code: 'auth.reauthentication_required' } })
})
