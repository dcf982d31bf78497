import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Bench, Line } from './bench.ts'
import { drawChart } from './chart.ts'
import { audit } from './figures/audit.ts'
import { code } from './figures/code.ts'
import { history } from './figures/history.ts'
import { login } from './figures/login.ts'
import { loginBurst } from './figures/login-burst.ts'
import { loginTiming } from './figures/login-timing.ts'
import { loop } from './figures/loop.ts'
import { rate } from './figures/rate.ts'
import { read } from './figures/read.ts'
import { refresh } from './figures/refresh.ts'
import { start } from './figures/start.ts'
import { steps } from './figures/steps.ts'
import { takeover } from './figures/takeover.ts'
import { tokenCheck } from './figures/token-check.ts'
import { webhook } from './figures/webhook.ts'
import { worstInputs } from './figures/worst-inputs.ts'
import { machineFacts } from './machine.ts'
import { hottest } from './profile.ts'

const benches: readonly Bench[] = [
  webhook,
  steps,
  loop,
  read,
  rate,
  audit,
  login,
  loginBurst,
  loginTiming,
  refresh,
  tokenCheck,
  code,
  start,
  worstInputs,
  takeover,
  history,
]

const usage = `npm run bench -- <figure> [--seconds 8] [--rounds 3] [--profile]

${benches.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`).join('\n')}

Prints one line of JSON per figure and writes them to bench/results/, with a chart. Ends with 1 when a target is missed or a figure cannot be trusted.
--profile measures once, under the profiler, prints where the time goes, and writes no result.
`

const main = async (): Promise<number> => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '3' },
      profile: { type: 'boolean', default: false },
    },
  })
  const chosen = benches.filter(({ name }) => positionals.includes(name))
  const seconds = Number(values.seconds)
  const rounds = Number(values.rounds)
  if (chosen.length === 0 || chosen.length !== positionals.length || !(seconds > 0) || !(rounds >= 1)) {
    process.stderr.write(usage)
    return 2
  }
  let failed = false
  for (const bench of chosen) {
    const profile_dir = values.profile ? join(import.meta.dirname, 'profiles', `${bench.name}-${Date.now()}`) : null
    const lines: Line[] = []
    await bench.run({ seconds, rounds: values.profile ? 1 : rounds, profile_dir }, (line) => {
      lines.push(line)
      process.stdout.write(`${JSON.stringify(line)}\n`)
      for (const complaint of line.complaints) process.stderr.write(`${line.figure}: ${complaint}\n`)
    })
    failed ||= lines.some((line) => line.met === false || line.complaints.length > 0)
    if (profile_dir === null) await keep(bench.name, lines)
    else process.stdout.write(`${await hottest(profile_dir)}\n`)
  }
  return failed ? 1 : 0
}

const keep = async (name: string, lines: readonly Line[]): Promise<void> => {
  const directory = join(import.meta.dirname, 'results')
  await mkdir(directory, { recursive: true })
  const result = { at: new Date().toISOString(), machine: await machineFacts(), lines }
  await writeFile(join(directory, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
  await drawChart(directory)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.stderr.write(`ended by ${signal}\n`)
    process.exit(1)
  })
}
process.exitCode = await main()
