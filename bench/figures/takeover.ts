import { runCluster } from '../../tests/chaos/cluster.ts'
import type { Bench } from '../bench.ts'

const every_ms = 5_000
/** Fewer kills say nothing about the slowest takeover. */
const least_s = 30
const target = { max_ms: 10_000 }

export const takeover: Bench = {
  name: 'takeover',
  summary: 'three servers on one PostgreSQL under load, one killed or frozen every 5 s: how soon the others go on with what it held',
  run: async ({ seconds, rounds }, report) => {
    const lasts_s = Math.max(least_s, seconds * rounds)
    const { faults, takeover_ms, taken_over, processes, kills_of_the_server, frozen, acknowledged, executions, effects, repeated_effects } =
      await runCluster({ seconds: lasts_s, clients: 16, pause_ms: 60, every_ms, database: false, log: () => {} })
    report({
      figure: 'takeover',
      conditions: {
        processes,
        seconds: lasts_s,
        kill_every_ms: every_ms,
        kills: kills_of_the_server,
        of_these_frozen: frozen,
        fsync: true,
      },
      measured: { ...takeover_ms, taken_over, acknowledged, executions, effects, repeated_effects, lost: faults.length },
      ceiling: { least_ms: 6_000, what: 'MILLRACE_ENGINE_TAKEOVER_MS: before that nobody is taken for dead, unless it comes back itself' },
      ratio: null,
      target,
      met: takeover_ms.max <= target.max_ms && taken_over > 0 && faults.length === 0,
      complaints: faults,
    })
  },
}
