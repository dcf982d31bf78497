import { type Facts, round } from '../bench.ts'
import { eachUs, spending, type Workers } from '../machine.ts'
import type { LoadOptions, LoadResult } from './contract.ts'
import { runLoad } from './load.ts'

/** A run, and the CPU that each reply cost those who worked for it. */
export interface AccountedRun extends LoadResult {
  readonly server_us: number
  readonly database_us: number
  readonly generator_us: number
  readonly foreign_cpu: number
}

export const runAccounted = async (workers: Workers, options: LoadOptions): Promise<AccountedRun> => {
  const { result, own_s, database_s, foreign_cpu } = await spending(workers, () => runLoad(options))
  const replies = Object.values(result.statuses).reduce((sum, count) => sum + count, 0)
  return {
    ...result,
    server_us: eachUs(own_s, replies),
    database_us: eachUs(database_s, replies),
    generator_us: eachUs(result.elsewhere_s, replies),
    foreign_cpu,
  }
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
  generator_us: run.generator_us,
  foreign_cpu: run.foreign_cpu,
})
