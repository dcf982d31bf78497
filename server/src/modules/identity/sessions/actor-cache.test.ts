import { expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { createActorCache, type CachedActor } from './actor-cache.ts'

const setUp = (max = 3) => {
  const clock = manualClock()
  const reads: { id: string; answer: (actor: CachedActor | null) => void; fail: (error: Error) => void }[] = []
  const cache = createActorCache<CachedActor>({
    now: clock.now,
    max,
    load: (id) => {
      const { promise, resolve, reject } = Promise.withResolvers<CachedActor | null>()
      reads.push({ id, answer: resolve, fail: reject })
      return promise
    },
  })
  const fill = async (id: string, ...user_ids: readonly string[]): Promise<void> => {
    const result = cache.get(id, user_ids[0] ?? null)
    reads.at(-1)?.answer({ id, user_ids })
    await result
  }
  return { clock, reads, cache, fill }
}

test('many requests of one session wait for one read, and later ones need none', async () => {
  const { cache, reads } = setUp()
  const waiting = [1, 2, 3].map(async () => cache.get('s', 'u'))
  expect(reads.length).toBe(1)
  reads[0]?.answer({ id: 's', user_ids: ['u'] })
  expect(await Promise.all(waiting)).toEqual([1, 2, 3].map(() => ({ id: 's', user_ids: ['u'] })))
  expect(cache.get('s', 'u')).toEqual({ id: 's', user_ids: ['u'] })
  expect(reads.length).toBe(1)
})

test('a session forgotten while it is read is not kept', async () => {
  for (const forget of ['forget', 'forgetUser', 'clear'] as const) {
    const { cache, reads } = setUp()
    const early = cache.get('s', 'u')
    cache[forget](forget === 'forget' ? 's' : 'u')
    const late = cache.get('s', 'u')
    expect(reads.length).toBe(2)
    reads[0]?.answer({ id: 's', user_ids: ['u'] })
    await early
    expect(cache.size()).toBe(0)
    reads[1]?.answer(null)
    expect(await late).toBe(null)
    expect(cache.size()).toBe(0)
  }
})

test('forgetting a user forgets all of their sessions and nobody else', async () => {
  const { cache, fill } = setUp()
  await fill('a', 'u')
  await fill('b', 'u')
  await fill('c', 'v')
  cache.forgetUser('u')
  expect(cache.size()).toBe(1)
  expect(cache.get('c', 'v')).toEqual({ id: 'c', user_ids: ['v'] })
})

test('forgetting who acts through a session forgets it', async () => {
  const { cache, fill } = setUp()
  await fill('a', 'u', 'admin')
  await fill('b', 'v')
  cache.forgetUser('admin')
  expect(cache.size()).toBe(1)
  cache.forgetUser('u')
  expect(cache.get('b', 'v')).toEqual({ id: 'b', user_ids: ['v'] })
})

test('what names its user itself is found without saying whose it is, and not for somebody else', async () => {
  const { cache, fill, reads } = setUp()
  await fill('a', 'u', 'admin')
  expect(cache.get('a', null)).toEqual({ id: 'a', user_ids: ['u', 'admin'] })
  for (const other of ['v', 'admin']) {
    const before = reads.length
    void cache.get('a', other)
    expect(reads.length).toBe(before + 1)
  }
})

test('while it is read nobody knows whom a session depends on: forgetting anybody counts', async () => {
  const { cache, reads } = setUp()
  const early = cache.get('s', 'u')
  cache.forgetUser('admin')
  reads[0]?.answer({ id: 's', user_ids: ['u', 'admin'] })
  await early
  expect(cache.size()).toBe(0)
})

test('beyond its bound the least recently used goes', async () => {
  const { cache, fill, reads } = setUp(2)
  await fill('a', 'u')
  await fill('b', 'u')
  void cache.get('a', 'u')
  await fill('c', 'u')
  expect(cache.size()).toBe(2)
  const before = reads.length
  void cache.get('a', 'u')
  expect(reads.length).toBe(before)
  void cache.get('b', 'u')
  expect(reads.length).toBe(before + 1)
})

test('an entry is read again after five minutes', async () => {
  const { cache, fill, reads, clock } = setUp()
  await fill('a', 'u')
  clock.advance(300_001)
  void cache.get('a', 'u')
  expect(reads.length).toBe(2)
})

test('a read that fails is tried again by the next request', async () => {
  const { cache, reads } = setUp()
  const failed = cache.get('s', 'u')
  reads[0]?.fail(new Error('connection lost'))
  await expect(failed).rejects.toThrow('connection lost')
  void cache.get('s', 'u')
  expect(reads.length).toBe(2)
})
