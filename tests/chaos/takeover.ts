import type postgres from 'postgres'

/** What a server held when it died, and the watch for the first sign that somebody goes on with it. */
interface Watched {
  readonly dead_since: number
  /** Records that there were. */
  readonly records: number
}

export interface Takeovers {
  /** Notes what a dead server held: `dead_since` is when, Unix milliseconds. Answers with its ids. */
  readonly died: (worker_id: string, dead_since: number) => Promise<ReadonlySet<string>>
  /** Milliseconds from the death of its server to the first progress of each execution; those that had none so far are left out. */
  readonly times_ms: () => readonly number[]
  /** Resolves when all that is watched has gone on, or after so long. Answers with the ids of those that have not. */
  readonly settled: (within_ms: number) => Promise<readonly string[]>
  readonly stop: () => Promise<void>
}

/** How exactly the times are known. */
const look_ms = 100

/** Progress is a record more, an end, or a sleep; not that somebody has merely taken an execution up. */
export const watchTakeovers = (sql: postgres.Sql): Takeovers => {
  const watched = new Map<string, Watched>([])
  const times: number[] = []
  const look = async (): Promise<void> => {
    const ids = [...watched.keys()]
    if (ids.length === 0) return
    const rows = await sql<{ id: string; over: boolean; records: number }[]>`
      select e.id, e.finished_at is not null or e.wake_at is not null as over,
        (select count(*)::int from execution_records as r where r.execution_id = e.id) as records
      from executions as e
      where e.id = any(${ids}::uuid[])`
    const now = Date.now()
    for (const { id, over, records } of rows) {
      const one = watched.get(id)
      if (one === undefined || (!over && records <= one.records)) continue
      watched.delete(id)
      times.push(now - one.dead_since)
    }
  }
  let looking: Promise<void> | null = null
  const lookAgain = (): Promise<void> => {
    // The database may be away: then nothing goes on either.
    looking ??= look()
      .catch(() => undefined)
      .finally(() => (looking = null))
    return looking
  }
  const timer = setInterval(() => void lookAgain(), look_ms)
  return {
    died: async (worker_id, dead_since) => {
      const held = await sql<{ id: string; records: number }[]>`
        select e.id, (select count(*)::int from execution_records as r where r.execution_id = e.id) as records
        from executions as e
        where e.worker_id = ${worker_id} and e.finished_at is null and e.wake_at is null and e.mode <> 'job'`
      for (const { id, records } of held) watched.set(id, { dead_since, records })
      return new Set(held.map(({ id }) => id))
    },
    times_ms: () => times,
    settled: async (within_ms) => {
      const deadline = Date.now() + within_ms
      while (watched.size > 0 && Date.now() < deadline) {
        await lookAgain()
        await new Promise((resolve) => setTimeout(resolve, look_ms))
      }
      return [...watched.keys()]
    },
    stop: async () => {
      clearInterval(timer)
      await looking
    },
  }
}
