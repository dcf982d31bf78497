import { hash } from 'node:crypto'
import { type RateLimiterAbstract, RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import type { Count, Counter } from './counter.ts'

/** Whoever asks compares with a quota of its own, which may change while it counts: here nothing is refused. */
export const no_limit = Number.MAX_SAFE_INTEGER

const countOf = (result: RateLimiterRes): Count => ({
  used: Math.max(0, result.consumedPoints),
  reset_ms: Math.max(0, result.msBeforeNext),
})

/** A limiter of rate-limiter-flexible as a counter. */
export const counterOver = (limiter: RateLimiterAbstract, window_s: number, nameOf: (key: string) => string): Counter => ({
  add: (key, amount = 1) => limiter.consume(nameOf(key), amount).then(countOf),
  read: async (key) => {
    const found = await limiter.get(nameOf(key))
    return found === null ? { used: 0, reset_ms: window_s * 1_000 } : countOf(found)
  },
  reset: async (key) => {
    await limiter.delete(nameOf(key))
  },
})

/** Counts for this process. Takes no turn of the event loop. */
export const memoryCounter = (name: string, window_s: number): Counter =>
  counterOver(new RateLimiterMemory({ points: no_limit, duration: window_s, keyPrefix: name }), window_s, (key) => key)

/** What a key is called where others may look: an address, a user's e-mail are theirs. Any text is good, and none is too long. */
export const digestOf = (key: string): string => hash('sha256', key, 'base64url').slice(0, 22)
