// Loaded before the server: writes how late its event loop was, in milliseconds, into a file whenever it is asked to, and begins anew.
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const file = process.env.BENCH_LOOP_DELAY
if (file !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  process.on('SIGUSR2', () => {
    const at = (percentile) => delay.percentile(percentile) / 1e6
    writeFileSync(file, JSON.stringify({ p50_ms: at(50), p99_ms: at(99), max_ms: delay.max / 1e6, count: delay.count }))
    delay.reset()
  })
}
