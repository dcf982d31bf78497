import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startRedis, type TestRedis, withoutRedis } from '../../platform/counters/redis.testing.ts'
import { type TestApp, testApp, type TestUser } from '../../test-app.ts'
import { times } from './plans.testing.ts'

const quota = 100

const profile = (at: TestApp, user: TestUser) => at.as(user)('GET', '/api/v1/users/profile')

const statuses = async (count: number, apps: readonly TestApp[], user: TestUser): Promise<{ readonly [status: string]: number }> => {
  const replies = await times(count, 20, (number) => profile(apps[number % apps.length] as TestApp, user))
  return Object.fromEntries([...Map.groupBy(replies, ({ status }) => status)].map(([status, { length }]) => [status, length]))
}

const healthOf = async (at: TestApp, admin: TestUser) => {
  const { body } = await at.as(admin)('GET', '/health/detailed')
  return body.checks.find(({ name }: { name: string }) => name === 'counters')
}

/** Two processes that share a database and, where `env` says so, their counters. */
const pair = async (env: { readonly [variable: string]: string }) => {
  const one = await testApp({ env: { MILLRACE_DEFAULT_PLAN: 'free', ...env } })
  const other = await testApp({ env: { MILLRACE_DEFAULT_PLAN: 'free', ...env }, beside: one })
  return {
    ...{ one, other, apps: [one, other] },
    close: async () => {
      await other.close()
      await one.close()
    },
  }
}

test('in memory each process counts for itself', async () => {
  const { one, apps, close } = await pair({})
  const user = await one.register()
  // One was spent on learning who it is.
  expect(await statuses(220, apps, user)).toEqual({ 200: quota * 2 - 1, 429: 21 })
  expect(await healthOf(one, await one.admin())).toMatchObject({ status: 'ok', detail: 'memory' })
  await close()
})

test('in PostgreSQL two processes together give what the plan gives, and the guesses of one count at the other', async () => {
  const { one, other, apps, close } = await pair({ MILLRACE_COUNTERS: 'postgres' })
  const user = await one.register()
  expect(await statuses(150, apps, user)).toEqual({ 200: quota - 1, 429: 51 })
  const guess = (at: TestApp) => at.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: 'not that one' } })
  const guesses = await times(24, 4, (number) => guess(number % 2 === 0 ? one : other))
  expect(guesses.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(20)
  expect(guesses.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(4)
  expect(await healthOf(one, await one.admin())).toMatchObject({ status: 'ok', detail: 'postgres' })
  await close()
})

test('Redis is what is taken when its address is set, and has to be set to be taken', async () => {
  await expect(testApp({ env: { MILLRACE_COUNTERS: 'redis' } })).rejects.toThrow('REDIS_URL is not set')
  // Nobody listens there: the server starts, counts for itself and says so.
  const mill = await testApp({ env: { MILLRACE_DEFAULT_PLAN: 'free', REDIS_URL: 'redis://:canary-4f1c@127.0.0.1:1' } })
  const user = await mill.register()
  expect(await statuses(quota, [mill], user)).toEqual({ 200: quota - 1, 429: 1 })
  const health = await healthOf(mill, await mill.admin())
  expect(health).toMatchObject({ status: 'failing', detail: 'redis is away; each process counts for itself' })
  expect(JSON.stringify(health)).not.toContain('canary-4f1c')
  await mill.close()
})

describe.skipIf(withoutRedis !== null)(`with Redis${withoutRedis === null ? '' : ` (left out: ${withoutRedis})`}`, () => {
  let redis: TestRedis
  let shared: Awaited<ReturnType<typeof pair>>
  let admin: TestUser

  beforeAll(async () => {
    redis = await startRedis()
    shared = await pair({ REDIS_URL: redis.url })
    admin = await shared.one.admin()
  })
  afterAll(async () => {
    await shared.close()
    await redis.close()
  })

  test('two processes together give what the plan gives', async () => {
    const user = await shared.one.register()
    expect(await statuses(150, shared.apps, user)).toEqual({ 200: quota - 1, 429: 51 })
    expect(await healthOf(shared.other, admin)).toMatchObject({ status: 'ok', detail: 'redis' })
  })

  test('a Redis that is killed and comes back costs nobody an answer', async () => {
    const user = await shared.one.register()
    let killed = false
    const replies = await times(60, 4, async (number) => {
      if (number === 20) await redis.kill().then(() => (killed = true))
      if (number === 40) await redis.restart()
      return profile(shared.apps[number % 2] as TestApp, user)
    })
    expect(killed).toBe(true)
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
    const fresh = await shared.one.register()
    // Both have found it again by themselves: they count together.
    await expect
      .poll(
        async () => {
          const left = async (at: TestApp) => Number(/r=(\d+)/.exec((await profile(at, fresh)).headers.get('ratelimit') ?? '')?.[1])
          const [a, b] = [await left(shared.one), await left(shared.other)]
          return a - b
        },
        { timeout: 10_000, interval: 300 },
      )
      .toBe(1)
  })
})
