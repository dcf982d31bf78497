import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Actor, Via } from '../../platform/context.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../test-app.ts'
import { limitOf } from './catalogue.ts'
import { personalData } from './personal-data.ts'
import { givePlan, times, told, usageOf } from './plans.testing.ts'
import { quotas } from './quotas.ts'

let mill: TestApp
let admin: TestUser

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_DEFAULT_PLAN: 'enterprise' } })
  admin = await mill.admin()
})
afterAll(() => mill.close())

const profile = (user: TestUser) => user.call('GET', '/api/v1/users/profile')

test.for([
  ['free', 100],
  ['basic', 500],
  ['premium', 2_000],
] as const)('the plan %s gives %i requests an hour, to the user and not to the session', async ([plan, quota]) => {
  const user = await mill.register()
  await givePlan(admin, user, plan)
  const first = await profile(user)
  expect(first.status).toBe(200)
  expect(first.headers.get('ratelimit-policy')).toBe(`"hour";q=${quota};w=3600`)
  expect(first.headers.get('ratelimit')).toBe(`"hour";r=${quota - 1};t=3600`)
  expect(first.headers.get('retry-after')).toBeNull()

  const again = await mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: user.password } })
  const elsewhere = mill.as(again.body)
  const replies = await times(quota - 1, 16, (number) => (number % 2 === 0 ? profile(user) : elsewhere('GET', '/api/v1/users/profile')))
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))

  const over = await times(20, 4, () => profile(user))
  for (const { status, headers, body } of over) {
    expect(status).toBe(429)
    expect(body).toMatchObject({ code: 'http.rate_limited', 'violated-policies': ['hour'] })
    expect(headers.get('ratelimit')).toMatch(/^"hour";r=0;t=\d+$/)
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(3_500)
  }
  // A refused hour is one event, not twenty.
  expect(await told(mill, 'plans.limit.reached', user.workspace_id)).toMatchObject([
    { feature: 'requests', user_id: user.id, plan, limit: quota },
  ])
  // The next plan counts at once, and what was used stays used.
  await givePlan(admin, user, 'enterprise')
  expect((await profile(user)).headers.get('ratelimit-policy')).toBeNull()
})

test('the plan enterprise has no quota, and says so by saying nothing', async () => {
  const { status, headers } = await profile(admin)
  expect([status, headers.get('ratelimit-policy'), headers.get('ratelimit')]).toEqual([200, null, null])
})

test('what is known of the limits of a user goes with the user', async () => {
  const user = await mill.register()
  await givePlan(admin, user, 'free')
  await times(101, 8, () => profile(user))
  await told(mill, 'plans.limit.reached', user.workspace_id)
  const ctx = mill.app.asSystem('a test asks for what is known of somebody')
  const known = async () => [...((await personalData.read(ctx, user)) as Iterable<unknown>)]
  expect(await known()).toMatchObject([{ feature: 'requests', kind: 'reached' }])
  await ctx.tx(async (tx) => personalData.erase?.(tx, user))
  expect(await known()).toEqual([])
})

test('another plan does not give the requests of the hour back', async () => {
  const user = await mill.register()
  await givePlan(admin, user, 'free')
  await times(60, 8, () => profile(user))
  await givePlan(admin, user, 'basic')
  expect((await profile(user)).headers.get('ratelimit')).toMatch(/^"hour";r=439;/)
  expect(await usageOf(user, 'requests')).toMatchObject({ plan: 'basic', limit: 500, used: 62 })
  await givePlan(admin, user, 'free')
  expect((await profile(user)).headers.get('ratelimit')).toMatch(/^"hour";r=37;/)
})

test('an API key may have less of its own, counted beside what its owner has', () => {
  const actor = (plan: string, via: Via): Actor => ({
    ...{ type: 'user', user_id: 'anna', role: 'user', workspace_role: 'owner', plan, via, impersonator_id: null },
  })
  const key = (requests_per_hour: number | null): Via => ({ type: 'api_key', key_id: 'k1', permissions: new Set(), requests_per_hour })
  const of = (plan: string, via: Via) => quotas.of(mill.app, actor(plan, via))
  const session: Via = { type: 'session', session_id: 's1' }
  const hour = { name: 'hour', quota: 100, window_s: 3_600, key: 'anna' }
  const own = { name: 'key-hour', quota: 10, window_s: 3_600, key: 'k1' }
  expect(of('free', session)).toEqual([hour])
  expect(of('free', key(null))).toEqual([hour])
  expect(of('free', key(10))).toEqual([hour, own])
  expect(of('enterprise', key(10))).toEqual([own])
  expect(of('enterprise', key(null))).toBeNull()
  expect(of('enterprise', session)).toBeNull()
  expect(quotas.of(mill.app, { type: 'anonymous' })).toBeNull()
})

const newKey = (user: TestUser, more: object = {}): Promise<TestReply> =>
  user.call('POST', '/api/v1/auth/api-keys', { body: { name: 'reader', permissions: ['account:read'], ...more } })

test('requests with a key count for its owner as well, and a key stops at what it was given', async () => {
  const user = await mill.register()
  await givePlan(admin, user, 'free')
  const { key } = (await newKey(user, { requests_per_hour: 10 })).body
  const withKey = () => mill.call('GET', '/api/v1/users/profile', { headers: { 'x-api-key': key } })
  const first = await withKey()
  expect(first.status).toBe(200)
  expect(first.headers.get('ratelimit-policy')).toBe('"hour";q=100;w=3600, "key-hour";q=10;w=3600')
  expect(first.headers.get('ratelimit')).toMatch(/^"hour";r=\d+;t=\d+, "key-hour";r=9;t=3600$/)
  await times(9, 4, withKey)
  const over = await withKey()
  expect(over).toMatchObject({ status: 429, body: { code: 'http.rate_limited', 'violated-policies': ['key-hour'] } })
  // Its owner goes on, and has the requests of the key counted.
  const own = await profile(user)
  expect(own.status).toBe(200)
  expect(own.headers.get('ratelimit')).toMatch(/^"hour";r=8[0-9];/)
  // Another key of the same owner has its own.
  const other = (await newKey(user, { requests_per_hour: 5 })).body
  expect((await mill.call('GET', '/api/v1/users/profile', { headers: { 'x-api-key': other.key } })).status).toBe(200)
  // A key that has used up its own is no limit of the plan.
  expect(await told(mill, 'plans.limit.reached', user.workspace_id)).toEqual([])
})

test('a plan gives so many keys and workspaces, also to who asks for ten at once', async () => {
  const user = await mill.register()
  await givePlan(admin, user, 'free')
  const keys = await times(10, 10, () => newKey(user))
  expect(keys.filter(({ status }) => status === 201)).toHaveLength(limitOf('free', 'api_keys') as number)
  expect(keys.find(({ status }) => status !== 201)).toMatchObject({
    status: 402,
    body: { code: 'plans.limit_reached', feature: 'api_keys' },
  })
  const workspaces = await times(10, 10, (number) => user.call('POST', '/api/v1/workspaces', { body: { name: `Mill ${number}` } }))
  // One is the personal one.
  expect(workspaces.filter(({ status }) => status === 201)).toHaveLength((limitOf('free', 'workspaces') as number) - 1)
  expect(await usageOf(user, 'api_keys')).toMatchObject({ limit: 3, used: 3, period_end: null })
  expect(await usageOf(user, 'workspaces')).toMatchObject({ limit: 2, used: 2 })
  expect(await usageOf(user, 'seats')).toMatchObject({ limit: 3, used: 1 })
  expect(await usageOf(user, 'storage_bytes')).toMatchObject({ used: null })
})
