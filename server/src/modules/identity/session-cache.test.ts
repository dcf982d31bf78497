import { expect, test } from 'vitest'
import { manualClock } from '../../platform/clock.ts'
import { createSessionCache, type CachedSession } from './session-cache.ts'

const setUp = (max = 3) => {
  const clock = manualClock()
  const reads: { session_id: string; answer: (session: CachedSession | null) => void; fail: (error: Error) => void }[] = []
  const cache = createSessionCache<CachedSession>({
    now: clock.now,
    max,
    load: (session_id) => {
      const { promise, resolve, reject } = Promise.withResolvers<CachedSession | null>()
      reads.push({ session_id, answer: resolve, fail: reject })
      return promise
    },
  })
  const fill = async (session_id: string, user_id: string): Promise<void> => {
    const result = cache.get(session_id, user_id)
    reads.at(-1)?.answer({ session_id, user_id })
    await result
  }
  return { clock, reads, cache, fill }
}

test('many requests of one session wait for one read, and later ones need none', async () => {
  const { cache, reads } = setUp()
  const waiting = [1, 2, 3].map(async () => cache.get('s', 'u'))
  expect(reads.length).toBe(1)
  reads[0]?.answer({ session_id: 's', user_id: 'u' })
  expect(await Promise.all(waiting)).toEqual([1, 2, 3].map(() => ({ session_id: 's', user_id: 'u' })))
  expect(cache.get('s', 'u')).toEqual({ session_id: 's', user_id: 'u' })
  expect(reads.length).toBe(1)
})

test('a session forgotten while it is read is not kept', async () => {
  for (const forget of ['forgetSession', 'forgetUser', 'clear'] as const) {
    const { cache, reads } = setUp()
    const early = cache.get('s', 'u')
    cache[forget](forget === 'forgetSession' ? 's' : 'u')
    const late = cache.get('s', 'u')
    expect(reads.length).toBe(2)
    reads[0]?.answer({ session_id: 's', user_id: 'u' })
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
  expect(cache.get('c', 'v')).toEqual({ session_id: 'c', user_id: 'v' })
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
