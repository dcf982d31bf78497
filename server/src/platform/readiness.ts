import { setTimeout as delay } from 'node:timers/promises'
import type { App } from './context.ts'
import { defineService } from './service.ts'

export type ReadyState = 'ready' | 'starting' | 'draining' | 'database_unreachable'

export interface Readiness {
  /** Asks the database at most once a second, however many ask at the same time. */
  readonly state: () => Promise<ReadyState>
}

const fresh_ms = 1_000
const patience_ms = 2_000

/**
 * Whether this process should get requests. The app mounts it last of all, so it says yes only once everything else has
 * started (the database is migrated by then) and is the first to hear that the server is to stop.
 */
export const readiness = defineService<Readiness & { turn: (phase: 'started' | 'draining') => void }>({
  name: 'readiness',
  create: (app) => {
    let phase: 'starting' | 'started' | 'draining' = 'starting'
    const database = cached(app.now, fresh_ms, () => reachesDatabase(app))
    return {
      turn: (next) => void (phase = next),
      state: async () => {
        if (phase !== 'started') return phase
        return (await database()) ? 'ready' : 'database_unreachable'
      },
    }
  },
  start: ({ turn }) => turn('started'),
  drain: ({ turn }) => turn('draining'),
})

const reachesDatabase = async (app: App): Promise<boolean> => {
  const given_up = new AbortController()
  try {
    const late = delay(patience_ms, false, { signal: given_up.signal, ref: false })
    return await Promise.race([app.database.ping().then(() => true), late])
  } catch (error) {
    app.log.warn({ err: error }, 'the database does not answer')
    return false
  } finally {
    given_up.abort()
  }
}

/** The answer of `ask`, kept for a while; who asks meanwhile gets the same one, also while it is still being found. */
export const cached = <T>(now: () => number, keep_ms: number, ask: () => Promise<T>): (() => Promise<T>) => {
  let answer: Promise<T> | null = null
  let until = 0
  return () => {
    if (answer === null || now() >= until) {
      until = now() + keep_ms
      answer = ask()
    }
    return answer
  }
}
