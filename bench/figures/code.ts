import { readFile } from 'node:fs/promises'
import { Intrinsics, QuickJS } from 'quickjs-wasi'
import { openPool, type Pool } from '../../server/src/engine/sandbox/pool.ts'
import type { Program } from '../../server/src/engine/sandbox/program.ts'
import { compileWasm } from '../../server/src/engine/sandbox/wasm.ts'
import { type Bench, type BenchOptions, type Line, median, round } from '../bench.ts'
import { histogram } from '../load/histogram.ts'
import { eachUs, spending } from '../machine.ts'
import { undisturbed } from '../quiet.ts'

const threads = 2
const warm_up_s = 1
const source =
  'export default ({ items }) => ({ total: items.reduce((sum, { price }) => sum + price, 0), first: items[0].name.toUpperCase() })'
const input = JSON.stringify({ items: Array.from({ length: 10 }, (_, n) => ({ name: `item ${n}`, price: n })) })
const expected = '{"total":45,"first":"ITEM 0"}'

const program: Program = {
  ...{ source, input, context: null, now: 0, seed: [1, 2, 3, 4] },
  ...{ timeout_ms: 5_000, memory_mb: 32, max_chars: 1024 * 1024 },
}

interface Runs {
  readonly runs_per_s: number
  readonly p50_us: number
  readonly p99_us: number
  readonly cpu_us: number
  readonly foreign_cpu: number
  readonly wrong: number
}

const open = (): Pool =>
  openPool({
    threads,
    idle_ms: 60_000,
    onBreakdown: (error) => {
      throw error
    },
  })

/** `once` says whether the answer was right. */
const measure = async (concurrency: number, seconds: number, once: () => Promise<boolean> | boolean): Promise<Runs> => {
  const latency = histogram()
  let wrong = 0
  const { own_s, foreign_cpu } = await spending({ pid: process.pid, database_below: process.pid }, async () => {
    const end = performance.now() + seconds * 1000
    const client = async (): Promise<void> => {
      while (performance.now() < end) {
        const since = performance.now()
        const right = once()
        if (!(right instanceof Promise ? await right : right)) wrong += 1
        latency.record((performance.now() - since) * 1000)
      }
    }
    await Promise.all(Array.from({ length: concurrency }, client))
    return { elsewhere_s: 0 }
  })
  return {
    runs_per_s: Math.round(latency.count() / seconds),
    p50_us: latency.quantile_us(0.5),
    p99_us: latency.quantile_us(0.99),
    cpu_us: eachUs(own_s, latency.count()),
    foreign_cpu,
    wrong,
  }
}

/** The function compiled once and called again and again in one memory on this thread: no isolation, no limit but the engine's own. */
const bareCall = async (): Promise<() => boolean> => {
  const wasm = await compileWasm(await readFile(new URL(import.meta.resolve('quickjs-wasi/quickjs.wasm'))))
  const vm = await QuickJS.create({ wasm: wasm as never, intrinsics: Intrinsics.ALL })
  const call = vm.evalCode(`(input) => JSON.stringify((${source.slice('export default '.length)})(JSON.parse(input)))`)
  return () => {
    const given = vm.newString(input)
    const answer = vm.callFunction(call, vm.undefined, given)
    const right = answer.toString() === expected
    given.dispose()
    answer.dispose()
    return right
  }
}

const runIn = (pool: Pool, workspace_id: string) => async (): Promise<boolean> => {
  const outcome = await pool.run(program, { workspace_id, signal: null })
  return outcome.kind === 'done' && outcome.json === expected
}

/** What the first program waits for, and what threads weigh, in a process that has none yet. */
const firstOf = async (): Promise<Line['measured']> => {
  const memory = (): number => process.memoryUsage.rss() / 2 ** 20
  const pool = open()
  const before = memory()
  const since = performance.now()
  await runIn(pool, 'a')()
  const first_ms = round(performance.now() - since)
  const one = memory()
  await Promise.all([runIn(pool, 'a')(), runIn(pool, 'a')()])
  const two = memory()
  await pool.close()
  return { first_ms, first_thread_mib: round(one - before, 1), second_thread_mib: round(two - one, 1) }
}

const compare = async (concurrency: number, { seconds, rounds }: BenchOptions, bare: () => boolean): Promise<Line> => {
  const pool = open()
  const once = runIn(pool, 'a')
  await measure(concurrency, warm_up_s, once)
  await measure(1, warm_up_s, bare)
  const [ours, ceilings]: [Runs[], Runs[]] = [[], []]
  for (let turn = 0; turn < rounds; turn++) {
    ours.push((await undisturbed(() => measure(concurrency, seconds, once))).chosen)
    ceilings.push((await undisturbed(() => measure(1, seconds, bare))).chosen)
  }
  await pool.close()
  const by = (run: Runs): number => run.runs_per_s
  const [{ wrong, ...measured }, { wrong: _, ...ceiling }] = [median(ours, by), median(ceilings, by)]
  return {
    figure: 'code',
    conditions: { concurrency, threads, in_process: true, ceiling: 'one memory, one thread, compiled once', seconds, rounds },
    measured,
    ceiling,
    ratio: round(measured.runs_per_s / ceiling.runs_per_s),
    target: null,
    met: null,
    complaints: wrong === 0 ? [] : [`${wrong} gave a wrong answer`],
  }
}

export const code: Bench = {
  name: 'code',
  summary: 'a small program in the sandbox: alone and many at once, beside the bare interpreter; the first one, and what threads weigh',
  run: async (options, report) => {
    report({
      figure: 'code-first',
      conditions: { threads, in_process: true },
      measured: await firstOf(),
      ...{ ceiling: null, ratio: null, target: null, met: null, complaints: [] },
    })
    const bare = await bareCall()
    for (const concurrency of [1, 64]) report(await compare(concurrency, options, bare))
  },
}
