import type { App } from '../context.ts'
import type { HealthCheck } from '../module.ts'
import { defineService } from '../service.ts'
import { StartError } from '../start-error.ts'
import type { Counter, SharedStore } from './counter.ts'
import { insure, type Insured } from './insured.ts'
import { memoryCounter } from './limiter.ts'
import { postgresStore } from './postgres-store.ts'
import { redisStore } from './redis-store.ts'
import { settings } from './settings.ts'

export type { Count, Counter } from './counter.ts'

/** The counters of everything that is limited by time. Their calls never reject and never hang. */
export interface Counters {
  /** `name` keeps the keys of one counter from those of another; who asks for the same name again gets the same counter. */
  readonly counter: (name: string, window_s: number) => Counter
}

interface Store {
  readonly shared: SharedStore | null
  readonly insured: Insured | null
}

export const counters = defineService<Counters & { readonly store: Store }>({
  name: 'counters',
  create: async (app) => {
    const shared = await storeOf(app)
    const insured = shared === null ? null : insure(shared, app.log)
    const make = insured === null ? memoryCounter : insured.counter
    const made = new Map<string, Counter>()
    return {
      store: { shared, insured },
      counter: (name, window_s) => {
        const known = made.get(name)
        if (known !== undefined) return known
        const counter = make(name, window_s)
        made.set(name, counter)
        return counter
      },
    }
  },
  start: async ({ store: { shared, insured } }) => {
    await shared?.open()
    await insured?.check()
  },
  stop: ({ store }) => store.shared?.close(),
})

const storeOf = async (app: App): Promise<SharedStore | null> => {
  const { counters: wanted, redis_url } = app.settings(settings)
  const name = wanted === 'auto' ? (redis_url === null ? 'memory' : 'redis') : wanted
  if (name === 'memory') return null
  if (name === 'postgres') return postgresStore(app)
  if (redis_url !== null) return redisStore(redis_url)
  throw new StartError(
    'MILLRACE_COUNTERS is redis, and REDIS_URL is not set.',
    'Set REDIS_URL to a Redis or Valkey, or MILLRACE_COUNTERS to memory or postgres.',
  )
}

export const counterCheck: HealthCheck = {
  name: 'counters',
  check: async (app) => {
    const { shared, insured } = app.use(counters).store
    if (shared === null || insured === null) return { ok: true, detail: 'memory' }
    const ok = await insured.check()
    return { ok, detail: ok ? shared.name : `${shared.name} is away; each process counts for itself` }
  },
}
