import { parseArgs } from 'node:util'
import { runChaos } from './chaos.ts'
import { runCluster } from './cluster.ts'
import type { Report } from './reconcile.ts'

// The long forms: `npm run chaos -- [kills]`, `npm run chaos -- cluster [--seconds 300] [--database]`.
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '300' },
    clients: { type: 'string', default: '16' },
    database: { type: 'boolean', default: false },
  },
})
const log = (line: string): void => console.log(line)
const clients = Number(values.clients)

const run = (): Promise<Report> =>
  positionals[0] === 'cluster'
    ? runCluster({ seconds: Number(values.seconds), clients, pause_ms: 60, every_ms: 5_000, database: values.database, log })
    : runChaos({ kills: Number(positionals[0] ?? 20), clients, between_ms: [500, 2_500], log })

const report = await run()
console.log(JSON.stringify({ ...report, faults: report.faults.length }))
for (const fault of report.faults.slice(0, 50)) console.error(fault)
process.exitCode = report.faults.length === 0 ? 0 : 1
