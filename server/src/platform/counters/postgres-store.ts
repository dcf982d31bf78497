import { RateLimiterPostgres } from 'rate-limiter-flexible'
import type { App } from '../context.ts'
import { driverOptions, openClient } from '../database/link.ts'
import type { SharedStore } from './counter.ts'
import { counterOver, digestOf, no_limit } from './limiter.ts'

const table = 'rate_counters'
const patience_ms = 1_000
const sweep_every_ms = 60_000

/** What rate-limiter-flexible asks of a driver. */
interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
}

/** Counters in the database, over connections of their own: nothing else waits for them, and they wait for nothing else. */
export const postgresStore = (app: App): SharedStore => {
  const { connection } = app.database
  const sql = openClient(connection, {
    ...driverOptions({ connection, role: 'millrace_system', settings: { statement_timeout: `${patience_ms}ms` } }),
    max: 2,
    transform: { undefined: null },
    backoff: (tries) => Math.min(0.05 * 2 ** tries, 1),
  })
  let swept_at = Number.NEGATIVE_INFINITY

  const sweep = (): void => {
    const now = performance.now()
    if (now - swept_at < sweep_every_ms) return
    swept_at = now
    removeExpired(Date.now()).catch((error: unknown) => app.log.warn({ err: error }, 'counters that have expired were not removed'))
  }
  const removeExpired = (now: number): Promise<unknown> =>
    soon(
      sql`
        delete from rate_counters
        where key in (
          select key
          from rate_counters
          where expire < ${now}
          limit 10000
          for update skip locked
        )`,
    )
  const client = {
    query: async ({ text, values = [] }: Statement) => {
      sweep()
      const rows = await soon(sql.unsafe(text, values as never[], { prepare: true }))
      return { rows, rowCount: rows.count }
    },
  }
  return {
    name: 'postgres',
    counter: (name, window_s) => {
      const options = { storeClient: client, storeType: 'client', tableName: table, tableCreated: true, clearExpiredByTimeout: false }
      const limiter = new RateLimiterPostgres({ ...options, points: no_limit, duration: window_s, keyPrefix: name })
      return counterOver(limiter, window_s, digestOf)
    },
    open: () => Promise.resolve(),
    close: () => sql.end({ timeout: 1 }),
  }
}

/** Gives up on what does not come: the driver waits for a database that is away. */
const soon = async <T>(work: PromiseLike<T>): Promise<T> => {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`PostgreSQL did not answer within ${patience_ms} ms.`)), patience_ms)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
