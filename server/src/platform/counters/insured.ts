import type { Logger } from '../log.ts'
import type { Counter, SharedStore } from './counter.ts'
import { memoryCounter } from './limiter.ts'

/** A shared store with insurance: while it is away, each process counts for itself. */
export interface Insured {
  readonly counter: (name: string, window_s: number) => Counter
  /** Whether the store answers; asks it again when it did not. */
  readonly check: () => Promise<boolean>
}

/** Between two looks at a store that is away. */
const look_every_ms = 500

/**
 * No caller gets an error, and none waits for a store that is known to be away: that it is back is found out beside the requests. What was
 * counted meanwhile is not added afterwards.
 */
export const insure = (store: SharedStore, log: Logger, now: () => number = () => performance.now()): Insured => {
  const trial = store.counter('trial', 60)
  let away = false
  let looked_at = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | null = null

  const lost = (error: unknown): void => {
    if (away) return
    away = true
    looked_at = now()
    log.warn({ err: error, store: store.name }, 'the store of the counters is away; until it is back each process counts for itself')
  }
  const look = async (): Promise<void> => {
    looked_at = now()
    try {
      // A count and not a ping: a store that answers and takes nothing is away as well.
      await trial.add('trial')
      if (away) log.info({ store: store.name }, 'the store of the counters is back')
      away = false
    } catch (error) {
      lost(error)
    } finally {
      looking = null
    }
  }
  const lookAgain = (): Promise<void> => (looking ??= look())
  const usable = (): boolean => {
    if (away && now() - looked_at >= look_every_ms) void lookAgain()
    return !away
  }

  return {
    counter: (name, window_s) => {
      const shared = store.counter(name, window_s)
      const own = memoryCounter(name, window_s)
      const attempt = async <T>(work: (counter: Counter) => Promise<T>): Promise<T> => {
        if (!usable()) return work(own)
        try {
          return await work(shared)
        } catch (error) {
          lost(error)
          return work(own)
        }
      }
      return {
        add: (key, amount) => attempt((counter) => counter.add(key, amount)),
        read: (key) => attempt((counter) => counter.read(key)),
        reset: (key) => attempt((counter) => counter.reset(key)),
      }
    },
    check: async () => {
      await lookAgain()
      return !away
    },
  }
}
