import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { listTables } from '../../../platform/testing/catalogue.ts'
import { testApp, type TestUser } from '../../../test-app.ts'
import { codeOf, setUpTotp } from '../mfa/codes.testing.ts'
import { claimByOwner } from './claim.ts'
import { confirmed, poster, tokenOf } from './post.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(mill.close)
const post = poster(mill)
const sql = mill.database.owner
const fresh = 'violet-umbrella-39-harbour'

/** What lets somebody into an account. `removeWaysIn` empties them, but for sessions, which it ends. */
const waysIn = [
  'user_passwords',
  'totp_factors',
  'recovery_codes',
  'mfa_challenges',
  'passkeys',
  'identities',
  'api_keys',
  'one_time_tokens',
]
const knowUsers = new Set([
  ...waysIn,
  'sessions',
  'passkey_handles',
  'sign_in_networks',
  'personal_exports',
  'sign_ins',
  'mails',
  'idempotent_replies',
  'workspace_members',
  // Bound to a session, and that ends.
  'integration_consents',
  'workflow_decisions',
])

test('every table that knows users is known to let somebody in or not to', async () => {
  const unknown = (await listTables(sql)).filter(({ name, columns }) => columns.includes('user_id') && !knowUsers.has(name))
  expect(
    unknown.map(({ name }) => name),
    'Does it let somebody into an account? Then let removeWaysIn empty it.',
  ).toEqual([])
})

interface Prepared {
  readonly user: TestUser
  readonly secret: string
  readonly key: string
  readonly challenge: string
}

/** An account with everything that can lead into it, made by who knows its password. */
const withEveryWayIn = async (user: TestUser): Promise<Prepared> => {
  const body = { name: 'reader', permissions: ['account:read'] }
  const { key } = (await user.call('POST', '/api/v1/auth/api-keys', { body })).body
  const { secret } = await setUpTotp(user, clock.now())
  const { challenge } = (await post('login', { email: user.email, password: user.password })).body
  const now = new Date(clock.now()).toISOString()
  await sql`
    insert into passkeys (id, user_id, credential_id, public_key, counter, transports, aaguid, is_synced, name, created_at)
    values (${mill.app.newId()}, ${user.id}, ${user.id}, 'key', 0, '{usb}', '00000000-0000-0000-0000-000000000000', false, 'theirs', ${now})`
  await sql`
    insert into identities (id, user_id, issuer, subject, provider, email, created_at, last_used_at)
    values (${mill.app.newId()}, ${user.id}, 'https://id.example.com', ${user.id}, 'example', null, ${now}, ${now})`
  return { user, secret, key, challenge }
}

const rowsOf = async (user: TestUser): Promise<{ readonly [table: string]: number }> =>
  Object.fromEntries(
    await Promise.all(
      waysIn.map(async (table) => {
        const [row] = await sql.unsafe(`select count(*)::int as n from ${table} where user_id = $1`, [user.id])
        return [table, row?.['n'] as number] as const
      }),
    ),
  )

const nothingWorks = async ({ user, secret, key, challenge }: Prepared): Promise<void> => {
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
  expect(await post('refresh', { refresh_token: user.refresh_token })).toMatchObject({ status: 401 })
  expect(await mill.call('GET', '/api/v1/auth/me', { headers: { 'x-api-key': key } })).toMatchObject({ status: 401 })
  expect(await post('login', { email: user.email, password: user.password })).toMatchObject({
    status: 401,
    body: { code: 'auth.invalid_credentials' },
  })
  clock.advance(30_000)
  expect(await post('mfa/verify', { challenge, code: codeOf(secret, clock.now()) })).toMatchObject({ status: 401 })
  const rows = await rowsOf(user)
  expect(
    Object.values(rows).reduce((sum, n) => sum + n, 0),
    JSON.stringify(rows),
  ).toBe(0)
}

test('a stranger who set up an account with an address keeps no way into it once its owner signs in by link', async () => {
  const prepared = await withEveryWayIn(await mill.register('victim1'))
  expect(Object.values(await rowsOf(prepared.user)).every((n) => n > 0)).toBe(true)
  await post('magic-link', { email: prepared.user.email })
  const owner = await post('magic-link/verify', { token: await tokenOf(mill, prepared.user.email, 'magic_link') })
  expect(owner).toMatchObject({ status: 200, body: { user: { email_verified: true } } })
  await nothingWorks(prepared)
  expect(await mill.as(owner.body)('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
})

test('nor once its owner sets a password by link, nor after the owner said that the account is not theirs', async () => {
  const reset = await withEveryWayIn(await mill.register('victim2'))
  await post('password/forgot', { email: reset.user.email })
  const token = await tokenOf(mill, reset.user.email, 'password_reset')
  expect(await post('password/reset', { token, password: fresh })).toMatchObject({ status: 200 })
  // The owner's new password is the one thing that is there.
  await sql`delete from user_passwords where user_id = ${reset.user.id}`
  await nothingWorks(reset)
  const disowned = await withEveryWayIn(await mill.register('victim3'))
  expect(await post('email/disown', { token: await tokenOf(mill, disowned.user.email, 'email_verification') })).toMatchObject({
    status: 200,
  })
  await nothingWorks(disowned)
})

test('a reset leaves a confirmed account its second factor and its keys, and signs nobody in past it', async () => {
  const { user, secret, key, challenge } = await withEveryWayIn(await confirmed(mill, 'thandi'))
  await post('password/forgot', { email: user.email })
  const token = await tokenOf(mill, user.email, 'password_reset')
  expect(await post('password/reset', { token, password: fresh })).toMatchObject({ status: 200 })
  expect(await post('login', { email: user.email, password: fresh })).toMatchObject({ status: 401, body: { code: 'auth.mfa_required' } })
  expect(await mill.call('GET', '/api/v1/auth/me', { headers: { 'x-api-key': key } })).toMatchObject({ status: 200 })
  await post('magic-link', { email: user.email })
  const linked = await post('magic-link/verify', { token: await tokenOf(mill, user.email, 'magic_link') })
  expect(linked).toMatchObject({ status: 401, body: { code: 'auth.mfa_required' } })
  // What was begun with the old password cannot be finished; what was begun with the link can.
  clock.advance(30_000)
  expect(await post('mfa/verify', { challenge, code: codeOf(secret, clock.now()) })).toMatchObject({
    status: 401,
    body: { code: 'auth.mfa_challenge_invalid' },
  })
  expect(await post('mfa/verify', { challenge: linked.body.challenge, code: codeOf(secret, clock.now()) })).toMatchObject({ status: 200 })
})

test('a confirmed account is nobody else’s to take over, and of fifty that take over one that is not, one does', async () => {
  const claim = (user: TestUser) => mill.app.asSystem('test a claim').tx((tx) => claimByOwner(tx, user.id))
  const user = await confirmed(mill, 'kagiso')
  expect(await claim(user)).toBe(false)
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  const open = await mill.register('victim4')
  const claims = await Promise.all(Array.from({ length: 50 }, () => claim(open)))
  expect(claims.filter(Boolean).length).toBe(1)
})
