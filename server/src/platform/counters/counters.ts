import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { defineService } from '../service.ts'

/** What has been counted under a key in the window that runs. */
export interface Count {
  readonly used: number
  /** Until the window ends and the count begins anew. */
  readonly reset_ms: number
}

/** Counts by key in windows of one length, each of which begins with the first count. No call rejects. */
export interface Counter {
  /** Adds, by default one, and answers what there is then. A negative amount gives back. */
  readonly add: (key: string, amount?: number) => Promise<Count>
  /** What there is, without a count. */
  readonly read: (key: string) => Promise<Count>
  /** Begins anew. */
  readonly reset: (key: string) => Promise<void>
}

/** The counters of everything that is limited by time. */
export interface Counters {
  /** `name` keeps the keys of one counter from those of another; who asks for the same name again gets the same counter. */
  readonly counter: (name: string, window_s: number) => Counter
}

/** Whoever asks compares with a quota of its own: here nothing is refused. */
const no_limit = Number.MAX_SAFE_INTEGER

export const counters = defineService<Counters>({
  name: 'counters',
  create: () => {
    const made = new Map<string, Counter>()
    return {
      counter: (name, window_s) => {
        const known = made.get(name)
        if (known !== undefined) return known
        const counter = memoryCounter(name, window_s)
        made.set(name, counter)
        return counter
      },
    }
  },
})

const countOf = (result: RateLimiterRes): Count => ({ used: Math.max(0, result.consumedPoints), reset_ms: result.msBeforeNext })

const memoryCounter = (name: string, window_s: number): Counter => {
  const limiter = new RateLimiterMemory({ points: no_limit, duration: window_s, keyPrefix: name })
  return {
    add: (key, amount = 1) => limiter.consume(key, amount).then(countOf),
    read: async (key) => {
      const found = await limiter.get(key)
      return found === null ? { used: 0, reset_ms: window_s * 1_000 } : countOf(found)
    },
    reset: async (key) => {
      await limiter.delete(key)
    },
  }
}
