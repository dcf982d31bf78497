import { expect, test } from 'vitest'
import { runCluster } from './cluster.ts'

test(
  'of three servers on one PostgreSQL one is killed, one left dead, one frozen: the others go on with what they held, and nothing is lost or done twice',
  { timeout: 180_000 },
  async () => {
    // How soon is measured where nothing else runs: `npm run bench -- takeover`.
    const unhurried = { longest_takeover_ms: 40_000 }
    const report = await runCluster({ ...unhurried, seconds: 7, clients: 8, pause_ms: 60, every_ms: 2_500, database: false, log: () => {} })
    expect(report.faults).toEqual([])
    expect(report).toMatchObject({ kills_of_the_server: 3, frozen: 1, fenced: 1 })
    expect(report.taken_over).toBeGreaterThan(5)
    expect(report.acknowledged).toBeGreaterThan(50)
  },
)
