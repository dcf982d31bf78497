import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog } from '../log.ts'
import { bareApp } from '../testing/bare-app.ts'
import { type TestDatabase, testDatabase } from '../testing/test-database.ts'
import type { Counter, SharedStore } from './counter.ts'
import { insure } from './insured.ts'
import { memoryCounter } from './limiter.ts'
import { postgresStore } from './postgres-store.ts'
import { startRedis, type TestRedis, withoutRedis } from './redis.testing.ts'
import { redisStore } from './redis-store.ts'

let database: TestDatabase
let stop: () => Promise<void>
let postgres: SharedStore
let redis: TestRedis

beforeAll(async () => {
  database = await testDatabase()
  const bare = await bareApp({ database: database.handle })
  stop = bare.stop
  postgres = postgresStore(bare.app)
  if (withoutRedis === null) redis = await startRedis()
})

afterAll(async () => {
  await postgres.close()
  await stop()
  await database.close()
  await redis?.close()
})

/** What every store has to do, whatever it is. */
const counts = async (counter: Counter, other: Counter): Promise<void> => {
  expect(await counter.read('anna')).toEqual({ used: 0, reset_ms: 60_000 })
  const first = await counter.add('anna')
  expect(first.used).toBe(1)
  expect(first.reset_ms).toBeGreaterThan(59_000)
  expect(first.reset_ms).toBeLessThanOrEqual(60_000)
  expect((await counter.add('anna', 4)).used).toBe(5)
  expect((await counter.add('anna', -2)).used).toBe(3)
  expect((await counter.read('anna')).used).toBe(3)
  const all = await Promise.all(Array.from({ length: 50 }, () => counter.add('ben')))
  expect(all.map(({ used }) => used).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
  // Another counter has the same keys for itself.
  expect((await other.add('anna')).used).toBe(1)
  await counter.reset('anna')
  expect((await counter.add('anna')).used).toBe(1)
  // Any text is a key.
  for (const key of ['', '\u0000', '\uD800', 'x'.repeat(10_000)]) expect((await counter.add(key)).used).toBe(1)
}

const ends = async (counter: Counter): Promise<void> => {
  const { reset_ms } = await counter.add('carl', 3)
  expect(reset_ms).toBeLessThanOrEqual(1_000)
  await expect.poll(async () => (await counter.read('carl')).used, { timeout: 5_000 }).toBe(0)
  expect((await counter.add('carl')).used).toBe(1)
}

describe('in memory', () => {
  test('counts by key', () => counts(memoryCounter('a', 60), memoryCounter('b', 60)))
  test('begins anew when the window has ended', () => ends(memoryCounter('c', 1)))
})

describe('in PostgreSQL', () => {
  test('counts by key', () => counts(postgres.counter('a', 60), postgres.counter('b', 60)))
  test('begins anew when the window has ended', () => ends(postgres.counter('c', 1)))

  test('two processes count together', async () => {
    const { app, stop: stopOther } = await bareApp({ database: await database.open() })
    const beside = postgresStore(app)
    try {
      await postgres.counter('shared', 60).add('anna', 2)
      expect((await beside.counter('shared', 60).add('anna')).used).toBe(3)
    } finally {
      await beside.close()
      await stopOther()
    }
  })

  test('what has expired is removed, and nobody can read whose counts there are', async () => {
    const { app, stop: stopOther } = await bareApp({ database: await database.open() })
    const fresh = postgresStore(app)
    try {
      await database.owner`insert into rate_counters values ('old', 1, ${Date.now() - 1_000}), ('running', 1, ${Date.now() + 60_000})`
      await fresh.counter('a', 60).add('dora@example.org')
      const keys = async () => (await database.owner<{ key: string }[]>`select key from rate_counters`).map(({ key }) => key)
      await expect.poll(keys).not.toContain('old')
      expect(await keys()).toContain('running')
      expect((await keys()).join(' ')).not.toContain('dora')
    } finally {
      await fresh.close()
      await stopOther()
    }
  })
})

describe.skipIf(withoutRedis !== null)(`in Redis${withoutRedis === null ? '' : ` (left out: ${withoutRedis})`}`, () => {
  const open = async (): Promise<SharedStore> => {
    const store = await redisStore(redis.url)
    await store.open()
    return store
  }

  test('counts by key', async () => {
    const store = await open()
    await counts(store.counter('a', 60), store.counter('b', 60))
    await store.close()
  })

  test('begins anew when the window has ended', async () => {
    const store = await open()
    await ends(store.counter('c', 1))
    await store.close()
  })

  test('two processes count together', async () => {
    const [one, other] = [await open(), await open()]
    await one.counter('shared', 60).add('anna', 2)
    expect((await other.counter('shared', 60).add('anna')).used).toBe(3)
    await one.close()
    await other.close()
  })

  /** A store with insurance, and what it has logged. */
  const insured = async () => {
    const lines: { readonly level: string; readonly msg: string }[] = []
    const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(JSON.parse(line)) } })
    const store = await open()
    return { store, lines, ...insure(store, log) }
  }

  test('while Redis is away each process counts for itself, says so once, and goes back to it by itself', async () => {
    const { store, lines, counter, check } = await insured()
    const requests = counter('requests', 60)
    expect((await requests.add('anna', 7)).used).toBe(7)
    await redis.kill()
    const began = performance.now()
    expect((await requests.add('anna')).used).toBe(1)
    for (let number = 2; number <= 200; number += 1) expect((await requests.add('anna')).used).toBe(number)
    // Had each of them waited for Redis, it would be most of a minute.
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(await check()).toBe(false)
    expect(lines.map(({ level }) => level)).toEqual(['warn'])
    await redis.restart()
    await expect.poll(async () => (await requests.add('ben')) && lines.length, { timeout: 10_000 }).toBe(2)
    expect(await check()).toBe(true)
    expect(lines[1]).toMatchObject({ level: 'info', msg: 'the store of the counters is back' })
    // Redis came back empty, and what was counted meanwhile is not added.
    expect((await requests.add('anna')).used).toBe(1)
    await store.close()
  })

  test('a Redis that takes connections and answers nothing holds nobody up', async () => {
    const { store, counter, check } = await insured()
    const requests = counter('requests', 60)
    await requests.add('carl', 5)
    redis.freeze()
    try {
      const began = performance.now()
      const all = await Promise.all(Array.from({ length: 100 }, () => requests.add('carl')))
      expect(performance.now() - began).toBeLessThan(5_000)
      expect(Math.max(...all.map(({ used }) => used))).toBe(100)
      const known = performance.now()
      for (let number = 0; number < 100; number += 1) await requests.add('carl')
      expect(performance.now() - known).toBeLessThan(2_000)
    } finally {
      redis.thaw()
    }
    await expect.poll(check, { timeout: 10_000 }).toBe(true)
    expect((await requests.add('dora')).used).toBe(1)
    await store.close()
  })

  test('a Redis that answers and takes nothing counts as away', async () => {
    const { store, lines, counter, check } = await insured()
    const { Redis } = await import('ioredis')
    const admin = new Redis(redis.url)
    await admin.config('SET', 'maxmemory', '1')
    try {
      expect((await counter('requests', 60).add('erna')).used).toBe(1)
      expect(await check()).toBe(false)
      expect((await counter('requests', 60).add('fred')).used).toBe(1)
      expect(lines.map(({ level }) => level)).toEqual(['warn'])
    } finally {
      await admin.config('SET', 'maxmemory', '0')
      admin.disconnect()
      await store.close()
    }
  })
})
