import { afterAll, beforeEach, expect, test } from 'vitest'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp, type TestUser } from '../../../test-app.ts'
import { testIssuer } from './issuer.testing.ts'
import { fragmentOf, newBrowser, visitor } from './stage.testing.ts'

const client = { client_id: 'mill', client_secret: 'a-secret-of-the-client-for-the-test' }
const [forge, other] = [await testIssuer('mill'), await testIssuer('mill')]
const env = {
  MILLRACE_OIDC_PROVIDERS: JSON.stringify([
    { name: 'forge', label: 'Forge', issuer: forge.issuer, ...client },
    { name: 'other', issuer: other.issuer, ...client },
  ]),
}
const mill = await testApp({ env })
afterAll(async () => {
  await mill.close()
  await forge.close()
  await other.close()
})

const at = visitor(mill, 'forge')
let number = 0
let sub = ''
let email = ''
beforeEach(() => {
  sub = `person-${(number += 1)}`
  email = `${sub}@example.org`
  forge.person = { sub, email, email_verified: true }
  other.person = { sub, email, email_verified: true }
})

const login = (user: Pick<TestUser, 'email' | 'password'>) =>
  mill.call('POST', '/api/v1/auth/login', {
    body: { email: user.email, password: user.password },
    headers: { 'x-forwarded-for': `198.19.7.${number}` },
  })
const verified = (user: TestUser) => mill.database.owner`update users set email_verified = true where id = ${user.id}`
/** What the browser is told at the end of a sign-in that leads to no account; nothing has been recorded. */
const refusal = async (via = at): Promise<string | undefined> => {
  const before = await recorded()
  const { code, error } = fragmentOf((await via.comeBack(newBrowser())).location)
  expect(code).toBeUndefined()
  expect(await recorded()).toEqual(before)
  return error
}
/** Without those of the post, which goes out by itself. */
const recorded = async (): Promise<readonly string[]> =>
  (await mill.events()).filter(({ name }) => !name.startsWith('mail.')).map(({ id }) => id)

test('an account whose address was confirmed is linked to the identity with that address, and its owner is told', async () => {
  const user = await mill.register(sub)
  await verified(user)
  const reply = await scenario(mill, {
    when: () => at.signIn(),
    status: 200,
    body: { user: { id: user.id, email_verified: true } },
    events: ['identity.identity.linked', 'mail.queued', 'identity.session.created'],
  })
  // All that was there before goes on working.
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  expect(await login(user)).toMatchObject({ status: 200 })
  const { body } = await mill.as(reply.body)('GET', '/api/v1/auth/identities')
  expect(body.items).toMatchObject([{ provider: 'forge', issuer: forge.issuer, subject: sub, email }])
})

test('an account that a stranger made with the address beforehand loses every way in that the stranger has', async () => {
  const stranger = await mill.register(sub)
  // One that the stranger linked as well, with an account of a provider that claims the address but does not vouch for it.
  other.person = { sub: `stranger-${sub}` }
  const browser = newBrowser()
  const started = await browser.post(
    `${mill.url}/api/v1/auth/oidc/other/link`,
    { password: stranger.password },
    { authorization: `Bearer ${stranger.access_token}` },
  )
  const { location } = await browser.visit(started.body.authorization_url)
  expect((await browser.visit(location as string)).location).toMatch(/#linked=other$/)
  const key = await stranger.call('POST', '/api/v1/auth/api-keys', { body: { name: 'kept', permissions: ['account:read'] } })
  expect(key.status).toBe(201)
  const withKey = () => mill.call('GET', '/api/v1/auth/me', { headers: { 'x-api-key': key.body.key } })
  expect(await withKey()).toMatchObject({ status: 200 })
  // And one that the stranger has begun to link and goes on with later.
  const later = newBrowser()
  const begun = await later.post(
    `${mill.url}/api/v1/auth/oidc/other/link`,
    { password: stranger.password },
    { authorization: `Bearer ${stranger.access_token}` },
  )
  const way_back = (await later.visit(begun.body.authorization_url)).location as string

  const reply = await at.signIn()
  expect(reply).toMatchObject({ status: 200, body: { user: { id: stranger.id, email, email_verified: true } } })
  expect(await stranger.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  expect(await login(stranger)).toMatchObject({ status: 401 })
  const refreshed = await mill.call('POST', '/api/v1/auth/refresh', {
    body: { refresh_token: stranger.refresh_token },
    headers: { 'x-forwarded-for': `198.19.8.${number}` },
  })
  expect(refreshed.status).toBe(401)
  expect(await withKey()).toMatchObject({ status: 401 })
  expect(await later.visit(way_back)).toMatchObject({ status: 400 })
  // The stranger's identity is no way in any more: it has no account.
  expect(await refusal(visitor(mill, 'other'))).toBe('auth.email_missing')
  const { body } = await mill.as(reply.body)('GET', '/api/v1/auth/identities')
  expect(body.items).toMatchObject([{ provider: 'forge' }])
  expect(body.items).toHaveLength(1)
})

test.each([
  ['false', false],
  ['"true"', 'true'],
  ['1', 1],
  ['nothing', undefined],
  ['an object', { valueOf: true }],
])('an address that is verified: %s leads to no account that is there, whoever it belongs to', async (_what, email_verified) => {
  const user = await mill.register(sub)
  forge.person = { sub, email: email.toUpperCase(), email_verified }
  expect(await refusal()).toBe('auth.email_taken')
  await verified(user)
  expect(await refusal()).toBe('auth.email_taken')
  expect(await login(user)).toMatchObject({ status: 200 })
  forge.person = { sub, email: `new-${email}`, email_verified }
  expect((await at.signIn()).body.user).toMatchObject({ email: `new-${email}`, email_verified: false })
})

test('who signs in again is who they were, whatever their address is now', async () => {
  const first = await at.signIn()
  const victim = await mill.register(`victim-${sub}`)
  await verified(victim)
  forge.person = { sub, email: victim.email, email_verified: true }
  const second = await at.signIn()
  expect(second.body.user).toMatchObject({ id: first.body.user.id, email })
  expect((await mill.as(second.body)('GET', '/api/v1/auth/identities')).body.items).toMatchObject([{ email: victim.email }])
})

test('two providers that vouch for one address lead to one account', async () => {
  const first = await at.signIn()
  other.person = { sub: `elsewhere-${sub}`, email, email_verified: true }
  const second = await visitor(mill, 'other').signIn()
  expect(second.body.user.id).toBe(first.body.user.id)
})

test('an account that is switched off is let in by nobody', async () => {
  const admin = (await mill.database.owner`select id from users where role = 'admin'`)[0] ?? (await mill.admin())
  expect(admin).toBeDefined()
  const known = await at.signIn()
  await mill.database.owner`update users set is_active = false where id = ${known.body.user.id}`
  expect(await refusal()).toBe('auth.account_inactive')
  const user = await mill.register(`off-${sub}`)
  await verified(user)
  await mill.database.owner`update users set is_active = false where id = ${user.id}`
  forge.person = { sub: `off-${sub}`, email: user.email, email_verified: true }
  expect(await refusal()).toBe('auth.account_inactive')
})

test('an account that is switched off between the callback and the exchange gets no session', async () => {
  const known = await at.signIn()
  const browser = newBrowser()
  const { code } = fragmentOf((await at.comeBack(browser)).location)
  await mill.database.owner`update users set is_active = false where id = ${known.body.user.id}`
  expect(await at.exchange(browser, code)).toMatchObject({ status: 401, body: { code: 'auth.invalid_credentials' } })
})

test('of thirty first visits at once one makes the account, and all lead to it', async () => {
  const replies = await Promise.all(Array.from({ length: 30 }, () => at.signIn()))
  expect(new Set(replies.map(({ body }) => body.user.id)).size).toBe(1)
  const [row] = await mill.database.owner`select count(*)::int as n from identities where subject = ${sub}`
  expect(row?.['n']).toBe(1)
})

test('first visits from two providers and a registration at once make one account', async () => {
  other.person = { sub: `elsewhere-${sub}`, email, email_verified: true }
  const [one, two] = await Promise.all([at.signIn(), visitor(mill, 'other').signIn(), mill.register(sub).catch(() => null)])
  expect(one.body.user.id).toBe(two.body.user.id)
  const [row] = await mill.database.owner`select count(*)::int as n from users where email = ${email}`
  expect(row?.['n']).toBe(1)
})

test.each([
  ['no address', {}],
  ['something that is no address', { email: 'not an address', email_verified: true }],
  ['two addresses', { email: ['a@example.org', 'b@example.org'], email_verified: true }],
  ['an address that looks like another', { email: 'admın@example.org', email_verified: true }],
  ['an address with a line break', { email: 'a@example.org\nBcc: b@example.org', email_verified: true }],
  ['an address of 300 characters', { email: `${'a'.repeat(290)}@example.org`, email_verified: true }],
])('a provider that tells %s makes no account', async (_what, said) => {
  forge.person = { sub, ...said }
  expect(await refusal()).toBe('auth.email_missing')
})

test.each([
  ['a name with control characters', 'A\u0000\u001b[31mnn\r\nBcc: x', 'A [31mnn Bcc: x'],
  ['a name with half of a pair', 'A\ud800', 'A\ufffd'],
  ['a name too long', 'n'.repeat(5_000), 'n'.repeat(200)],
  ['a name that is none', { a: 1 }, null],
  ['an empty name', ' \n', null],
])('%s is stored as what can be shown', async (_what, name, stored) => {
  forge.person = { ...forge.person, name }
  expect((await at.signIn()).body.user.name).toBe(stored)
})

test('a server that takes no new accounts lets in those that there are', async () => {
  const closed = await testApp({ env: { ...env, MILLRACE_REGISTRATION: 'closed' }, beside: mill })
  try {
    expect(await refusal(visitor(closed, 'forge'))).toBe('auth.registration_closed')
    const user = await mill.register(sub)
    await verified(user)
    expect((await visitor(closed, 'forge').signIn()).body.user.id).toBe(user.id)
  } finally {
    await closed.close()
  }
})
