import { runChaos } from './chaos.ts'

// The long form: `npm run chaos -- [kills]`.
const kills = Number(process.argv[2] ?? 20)
const report = await runChaos({ kills, clients: 16, between_ms: [500, 2_500], log: (line) => console.log(line) })
console.log(JSON.stringify({ ...report, faults: report.faults.length }))
for (const fault of report.faults.slice(0, 50)) console.error(fault)
process.exitCode = report.faults.length === 0 ? 0 : 1
