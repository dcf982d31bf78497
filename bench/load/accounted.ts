import { type Facts, round } from '../bench.ts'
import { eachUs, spending, type Workers } from '../machine.ts'
import type { LoadOptions, LoadResult } from './contract.ts'
import { runLoad } from './load.ts'

/** A run, and the CPU that each reply cost those who worked for it. */
export interface AccountedRun extends LoadResult {
  readonly server_us: number
  readonly database_us: number
}

export const runAccounted = async (workers: Workers, options: LoadOptions): Promise<AccountedRun> => {
  const { result, own_s, database_s } = await spending(workers, () => runLoad(options))
  const replies = Object.values(result.statuses).reduce((sum, count) => sum + count, 0)
  return { ...result, server_us: eachUs(own_s, replies), database_us: eachUs(database_s, replies) }
}

/** What a line prints of a run. */
export const figuresOf = (run: AccountedRun): Facts => ({
  requests_per_s: run.requests_per_s,
  p50_ms: round(run.p50_ms),
  p90_ms: round(run.p90_ms),
  p99_ms: round(run.p99_ms),
  max_ms: round(run.max_ms),
  server_us: run.server_us,
  database_us: run.database_us,
})
