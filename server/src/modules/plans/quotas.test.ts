import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Actor, Via } from '../../platform/context.ts'
import { type TestApp, testApp, type TestUser } from '../../test-app.ts'
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
