import { expect, test } from 'vitest'
import { runChaos } from './chaos.ts'

test(
  'under webhook load, kill -9 of the server and of PostgreSQL loses nothing and repeats at most what was in flight',
  { timeout: 180_000 },
  async () => {
    const report = await runChaos({ kills: 3, clients: 8, between_ms: [500, 900], log: () => {} })
    expect(report.faults).toEqual([])
    expect(report.acknowledged).toBeGreaterThan(50)
    expect(report.effects).toBeGreaterThan(50)
  },
)
