import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { counters } from '../../../platform/counters/counters.ts'
import { Problem } from '../../../platform/errors.ts'
import { testApp, type TestUser } from '../../../test-app.ts'
import { attempts } from './attempts.ts'
import * as oneTime from '../one-time-tokens.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(() => mill.close())

const day = 86_400_000
let places = 0
/** Somewhere that nobody was before. */
const somewhere = (): string => `100.64.${(places += 1) >> 8}.${places & 255}`
const signIn = (user: Pick<TestUser, 'email'>, password: string, address: string) =>
  mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password }, headers: { 'x-forwarded-for': address } })
const wrong = (user: Pick<TestUser, 'email'>, address: string) => signIn(user, 'not this one, surely', address)
const guarded = { status: 429, body: { code: 'identity.account_guarded' } }
const stopped = { status: 429, body: { code: 'identity.too_many_attempts' } }
const failed = { status: 401, body: { code: 'auth.invalid_credentials' } }

/** A wrong try, counted as a sign-in counts it, without the hash. */
const guess = (email: string, address: string) => mill.app.use(attempts).attempt(email, address, () => Promise.resolve(null))

/** What a crowd does to an account, up to the last try that is looked at. */
const crowdAt = async (email: string, tries = 100): Promise<void> => {
  for (let n = 0; n < tries; n++) await guess(email, somewhere())
}
/** From where the account was made: see `testApp`. */
const homeOf = async (user: TestUser): Promise<string> => (await user.call('GET', '/api/v1/auth/sessions')).body.items[0].address

test('a crowd that guesses at one account is stopped, and its owner at home is not', async () => {
  const user = await mill.register()
  const home = await homeOf(user)
  await crowdAt(user.email)
  const reply = await wrong(user, somewhere())
  expect(reply).toMatchObject(guarded)
  expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(3_500)
  // Not even with the right password: nobody learns that it is.
  expect(await signIn(user, user.password, somewhere())).toMatchObject(guarded)
  expect(await wrong(user, home)).toMatchObject(failed)
  expect(await signIn(user, user.password, home)).toMatchObject({ status: 200 })
  expect(await wrong(user, somewhere())).toMatchObject(guarded)
})

test('the owner elsewhere gets in with a new password by mail, and is at home there from then on', async () => {
  const user = await mill.register()
  const there = somewhere()
  await crowdAt(user.email)
  expect(await signIn(user, user.password, there)).toMatchObject(guarded)
  const link = await resetLinkFor(user)
  const headers = { 'x-forwarded-for': there }
  const password = 'the race runs high in spring'
  expect(await mill.call('POST', '/api/v1/auth/password/reset', { body: { token: link, password }, headers })).toMatchObject({
    status: 200,
  })
  expect(await signIn(user, password, there)).toMatchObject({ status: 200 })
})

/** As the mail with the link has it. */
const resetLinkFor = async (user: TestUser): Promise<string> =>
  mill.app
    .asSystem('give a link, for a test')
    .tx((tx) => oneTime.give(tx, { purpose: 'password_reset', user_id: user.id, life_ms: 60_000, data: { email: user.email } }))

test('an address without an account is guarded like one with an account', async () => {
  const nobody = { email: 'nobody@example.org' }
  await crowdAt(nobody.email)
  expect(await wrong(nobody, somewhere())).toMatchObject(guarded)
})

test('one network by itself cannot put an account under guard', async () => {
  const user = await mill.register()
  const guesser = somewhere()
  const outcomes = await Promise.all(Array.from({ length: 500 }, () => guess(user.email, guesser).catch((error: unknown) => error)))
  expect(outcomes.filter((outcome) => outcome === null)).toHaveLength(20)
  expect(outcomes.at(-1)).toBeInstanceOf(Problem)
  expect(await wrong(user, guesser)).toMatchObject(stopped)
  expect(await wrong(user, somewhere())).toMatchObject(failed)
})

test('a network is known while it has a session, or was signed in from within ninety days', async () => {
  const user = await mill.register()
  const [once, later] = [somewhere(), somewhere()]
  expect(await signIn(user, user.password, once)).toMatchObject({ status: 200 })
  clock.advance(60 * day)
  expect(await signIn(user, user.password, later)).toMatchObject({ status: 200 })
  await crowdAt(user.email)
  expect(await wrong(user, once)).toMatchObject(failed)
  clock.advance(31 * day)
  expect(await wrong(user, once)).toMatchObject(guarded)
  expect(await wrong(user, later)).toMatchObject(failed)
  // A session goes with its owner: where it was refreshed last they are at home, however they came there.
  const reply = await signIn(user, user.password, later)
  const train = somewhere()
  const refreshed = await mill.call('POST', '/api/v1/auth/refresh', {
    body: { refresh_token: reply.body.refresh_token },
    headers: { 'x-forwarded-for': train },
  })
  expect(refreshed.status).toBe(200)
  expect(await wrong(user, train)).toMatchObject(failed)
  expect((await mill.as(refreshed.body)('POST', '/api/v1/auth/logout')).status).toBe(200)
  expect(await wrong(user, train)).toMatchObject(guarded)
})

test('where an admin acts as a user the user is not at home', async () => {
  const admin = await mill.admin()
  const user = await mill.register()
  const office = somewhere()
  const acting = await mill.as((await signIn(admin, admin.password, somewhere())).body)(
    'POST',
    `/api/v1/users/admin/users/${user.id}/impersonate`,
    { body: { reason: 'looking' }, headers: { 'x-forwarded-for': office } },
  )
  expect(acting.status).toBe(201)
  await crowdAt(user.email)
  expect(await wrong(user, office)).toMatchObject(guarded)
})

test('one password tried on many accounts is stopped where it comes from, a whole /64 of IPv6', async () => {
  const victims = await Promise.all(Array.from({ length: 3 }, () => mill.register()))
  const sprayer = (n: number): string => `2001:db8:77:1::${n.toString(16)}`
  for (let n = 0; n < 98; n++) await guess(`sprayed-${n}@example.org`, sprayer(n))
  expect(await wrong(victims[0] as TestUser, sprayer(200))).toMatchObject(failed)
  expect(await wrong({ email: 'no-account@example.org' }, sprayer(201))).toMatchObject(failed)
  expect(await wrong(victims[1] as TestUser, sprayer(202))).toMatchObject(stopped)
  expect(await wrong({ email: 'no-account-2@example.org' }, sprayer(203))).toMatchObject(stopped)
  // Their neighbour is somebody else.
  expect(await wrong(victims[1] as TestUser, '2001:db8:77:2::1')).toMatchObject(failed)
})

test('being right forgives the mistakes of one account at one place, and no guesses at other accounts', async () => {
  const [user, victim] = [await mill.register(), await mill.register()]
  const place = somewhere()
  for (let n = 0; n < 19; n++) await guess(user.email, place)
  expect(await signIn(user, user.password, place)).toMatchObject({ status: 200 })
  for (let n = 0; n < 19; n++) await guess(user.email, place)
  const used = async (name: string, window_s: number, key: string) => (await mill.app.use(counters).counter(name, window_s).read(key)).used
  expect(await used('sign-in:network', 900, place)).toBe(38)
  expect(await used('sign-in:account', 3_600, user.email)).toBe(38)
  for (let n = 0; n < 20; n++) await guess(victim.email, place)
  expect(await signIn(user, user.password, place)).toMatchObject({ status: 200 })
  expect(await wrong(victim, place)).toMatchObject(stopped)
})

test('a try that the server was too busy to look at is no wrong one', async () => {
  const user = await mill.register()
  const place = somewhere()
  const busy = () => mill.app.use(attempts).attempt(user.email, place, () => Promise.reject(new Error('busy')))
  for (let n = 0; n < 60; n++) await expect(busy()).rejects.toThrow('busy')
  expect(await wrong(user, place)).toMatchObject(failed)
})

test('of fifty tries at once no more are looked at than one after the other', async () => {
  const user = await mill.register()
  const place = somewhere()
  const replies = await Promise.all(Array.from({ length: 50 }, () => wrong(user, place)))
  const looked_at = replies.filter(({ status }) => status !== 429)
  expect(looked_at).toHaveLength(20)
})

test('of the networks of an account the latest two hundred are remembered', async () => {
  const user = await mill.register()
  await mill.database.owner`
    insert into sign_in_networks
    select ${user.id}, 'network ' || n, ${new Date(clock.now()).toISOString()}::timestamptz - n * interval '1 hour'
    from generate_series(1, 260) as n`
  await mill.database.owner`insert into sign_in_networks values (${user.id}, 'long ago', '2020-01-01')`
  const place = somewhere()
  expect(await signIn(user, user.password, place)).toMatchObject({ status: 200 })
  const rows = await mill.database.owner`select network from sign_in_networks where user_id = ${user.id} order by last_seen_at desc`
  expect(rows).toHaveLength(200)
  const networks = rows.map(({ network }) => network)
  expect(networks).toContain(place)
  expect(networks).toContain('network 1')
  expect(networks).not.toContain('network 260')
})
