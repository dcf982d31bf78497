import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Call } from '../../server/src/test-app.ts'
import { attempt, mistakeIn } from '../../tests/e2e/worst-attempt.ts'
import { worst_inputs } from '../../tests/e2e/worst-inputs.ts'
import { signUp } from '../account.ts'
import { type Bench, type Facts, round } from '../bench.ts'
import { withDirectory } from '../place.ts'
import { startServer } from '../server.ts'

const at_once = 2
const idle_s = 5
const target = { p99_ms: 50 }

interface LoopDelay {
  readonly p50_ms: number
  readonly p99_ms: number
  readonly max_ms: number
  readonly count: number
}

/** How late the event loop of the server was since it was asked last. */
const loopDelay = async (pid: number, file: string): Promise<LoopDelay> => {
  rmSync(file, { force: true })
  process.kill(pid, 'SIGUSR2')
  while (!existsSync(file)) await delay(5)
  await delay(50)
  return JSON.parse(readFileSync(file, 'utf8')) as LoopDelay
}

const factsOf = ({ p50_ms, p99_ms, max_ms, count }: LoopDelay): Facts => ({
  p50_ms: round(p50_ms, 1),
  p99_ms: round(p99_ms, 1),
  max_ms: round(max_ms, 1),
  samples: count,
})

const caller =
  (port: number, token: string): Call =>
  async (method, path, { body } = {}) => {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: reply.status, headers: reply.headers, body: await reply.json() }
  }

/** What did not come to what it should. */
const tryAll = async (call: Call): Promise<readonly string[]> => {
  const wrong: string[] = []
  const rest = worst_inputs.values()
  const one = async (): Promise<void> => {
    for (const input of rest) {
      const mistake = mistakeIn(input, await attempt(call, input))
      if (mistake !== null) wrong.push(`${input.what}: ${mistake}`)
    }
  }
  await Promise.all(Array.from({ length: at_once }, one))
  return wrong
}

export const worstInputs: Bench = {
  name: 'worst-inputs',
  summary: 'how late the server’s event loop is while the worst that an editor may be handed is sent, checked, published and run',
  run: ({ profile_dir }, report) =>
    withDirectory(async (directory) => {
      const file = join(directory, 'loop-delay.json')
      const preload = new URL('../load/loop-delay.mjs', import.meta.url).href
      const server = await startServer({
        directory: join(directory, 'server'),
        profile_dir,
        env: { NODE_OPTIONS: `--import ${preload}`, BENCH_LOOP_DELAY: file },
      })
      try {
        const { token } = await signUp(server.port, 0)
        await delay(1_000)
        await loopDelay(server.pid, file)
        await delay(idle_s * 1_000)
        const idle = await loopDelay(server.pid, file)
        const since = performance.now()
        const complaints = await tryAll(caller(server.port, token))
        const seconds = round((performance.now() - since) / 1_000, 1)
        const measured = await loopDelay(server.pid, file)
        report({
          figure: 'event loop under the worst inputs',
          conditions: { inputs: worst_inputs.length, at_once, resolution_ms: 1 },
          measured: { ...factsOf(measured), seconds },
          ceiling: { ...factsOf(idle), what: 'the same server with nothing to do' },
          ratio: null,
          target,
          met: measured.p99_ms <= target.p99_ms && complaints.length === 0,
          complaints,
        })
      } finally {
        await server.stop()
      }
    }),
}
