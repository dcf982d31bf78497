import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Bench, median, round } from '../bench.ts'
import { processUse } from '../machine.ts'
import { withDirectory } from '../place.ts'
import { startServer } from '../server.ts'

const target = { second_ms: 2_000, idle_memory_mib: 150, idle_cpu_percent: 1 }
const settle_s = 10
const idle_s = 20

/** What `npm start` runs. */
const startScript = (): readonly string[] => {
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as {
    scripts: { start: string }
  }
  return scripts.start.replace(/^exec /, '').split(' ')
}

export const start: Bench = {
  name: 'start',
  summary:
    'from the start of the process to the first 200 of /readyz, on an empty data directory and on one in use; and what an idle server costs',
  run: (options, report) =>
    withDirectory(async (directory) => {
      const place = { directory: join(directory, 'server'), profile_dir: options.profile_dir }
      const first = await startServer(place)
      await first.stop()
      const times: number[] = []
      for (let turn = 0; turn < Math.max(3, options.rounds); turn++) {
        const again = await startServer(place)
        times.push(again.ready_ms)
        await again.stop()
      }
      const by_npm = await startServer({ ...place, command: ['npm', 'start', '--silent'] })
      await by_npm.stop()
      const second_ms = median(times, (ms) => ms)
      report({
        figure: 'start',
        conditions: { starts: times.length, script: startScript().join(' ') },
        measured: { first_ms: Math.round(first.ready_ms), second_ms: Math.round(second_ms), npm_start_ms: Math.round(by_npm.ready_ms) },
        ceiling: null,
        ratio: null,
        target: { second_ms: target.second_ms },
        met: Math.max(second_ms, by_npm.ready_ms) <= target.second_ms,
        complaints: [],
      })

      const server = await startServer(place)
      await delay(settle_s * 1000)
      const before = processUse(server.pid)
      await delay(idle_s * 1000)
      const after = processUse(server.pid)
      const cpu = (own: number, since: number): number => round(((own - since) / idle_s) * 100)
      const idle = { memory_mib: round(after.memory_mib, 1), cpu_percent: cpu(after.cpu_s, before.cpu_s) }
      report({
        figure: 'idle',
        conditions: { settled_s: settle_s, seconds: idle_s },
        measured: { ...idle, database_processes: after.children, database_cpu_percent: cpu(after.children_cpu_s, before.children_cpu_s) },
        ceiling: null,
        ratio: null,
        target: { memory_mib: target.idle_memory_mib, cpu_percent: target.idle_cpu_percent },
        met: idle.memory_mib <= target.idle_memory_mib && idle.cpu_percent <= target.idle_cpu_percent,
        complaints: [],
      })
      await server.stop()
    }),
}
