import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Type } from 'typebox'
import { createApp } from '../../server/src/app.ts'
import { roles } from '../../server/src/roles.ts'
import { engine } from '../../server/src/engine/engine.ts'
import type { Definition } from '../../server/src/engine/graph/definition.ts'
import { effect } from '../../server/src/engine/node.ts'
import type { App } from '../../server/src/platform/context.ts'
import { defineModule } from '../../server/src/platform/module.ts'
import { type Bench, type BenchOptions, type Line, median, round } from '../bench.ts'
import { runBareJournal } from '../ceilings/steps.ts'
import { clearCeiling, withCeilingDatabase } from '../database.ts'
import { spending } from '../machine.ts'
import { withDirectory } from '../place.ts'
import { profiled } from '../profile.ts'
import { undisturbed } from '../quiet.ts'
import { databaseOf } from '../server.ts'

const items = 100_000
const effect_items = 5_000
const parallel = 100
const target = { items_per_s: 20_000, above_idle_mib: 64 }

const effectNode = effect({
  type: 'bench.item',
  title: 'Effect',
  description: 'Does nothing, and has to be durable.',
  icon: 'clock',
  config: Type.Object({}),
  output: Type.Unknown(),
  run: ({ input }) => Promise.resolve({ output: input }),
})

const definitionOf = (body: object, more: object = {}): Definition => ({
  nodes: [
    { id: 'start', type: 'trigger.manual' },
    { id: 'each', type: 'flow.loop', config: { items: '{{ trigger.list }}', body: { nodes: [body], edges: [] }, ...more } as never },
  ],
  edges: [{ from: 'start', to: 'each' }],
})

const pureBody = definitionOf({
  id: 'line',
  type: 'data.set',
  config: { values: { id: '{{ item.id }}', total: '{{ item.price * item.count }}' } },
})
const effectBody = definitionOf({ id: 'send', type: 'bench.item', config: {} }, { parallel })

const mib = 1024 * 1024

/** A full collection, so that what is left of earlier work is not counted. */
const collect = (): void => {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

/** The most that the process takes while `work` runs, over what it takes before, after both were collected. */
const aboveIdle = async <T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly above_idle_mib: number }> => {
  collect()
  const idle = process.memoryUsage.rss()
  let most = idle
  let running = true
  const watch = (async () => {
    while (running) {
      most = Math.max(most, process.memoryUsage.rss())
      await pause(5)
    }
  })()
  const value = await work()
  running = false
  await watch
  return { value, above_idle_mib: round(Math.max(0, most - idle) / mib, 1) }
}

interface Subject {
  readonly app: App
  readonly workspace_id: string
}

const deploy = async ({ app, workspace_id }: Subject, definition: Definition): Promise<string> => {
  const workflow_id = app.newId()
  await app
    .asSystem('deploy what is measured', workspace_id)
    .tx((tx) => app.use(engine).deploy(tx, { workflow_id, version: 1, definition }))
  return workflow_id
}

const runLoop = async ({ app, workspace_id }: Subject, workflow_id: string, count: number): Promise<number> => {
  const list = Array.from({ length: count }, (_, id) => ({ id, price: 10, count: id % 7 }))
  const since = performance.now()
  const start = { workspace_id, workflow_id, version: 1, mode: 'live', trigger_node_id: 'start', payload: { list } } as const
  const running = await app.use(engine).start(start)
  const { status, output, error } = await running.finished
  const given = (output as { items?: unknown[] } | null)?.items?.length
  if (status !== 'succeeded' || given !== count) throw new Error(`a loop ended as ${status} with ${given} items: ${error?.message ?? ''}`)
  return Math.round(count / ((performance.now() - since) / 1000))
}

const spendingOf = async <T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly foreign_cpu: number }> => {
  let value: T | undefined
  const { foreign_cpu } = await spending({ pid: process.pid, database_below: process.pid }, async () => {
    value = await work()
    return { elsewhere_s: 0 }
  })
  return { value: value as T, foreign_cpu }
}

/** The same work written by hand, in one go, recorded nowhere. */
const byHand = (count: number): number => {
  const list = Array.from({ length: count }, (_, id) => ({ id, price: 10, count: id % 7 }))
  const since = performance.now()
  const given = list.map((item) => JSON.stringify({ id: item.id, total: item.price * item.count }))
  if (given.length !== count) throw new Error('items are missing')
  return Math.round(count / ((performance.now() - since) / 1000))
}

const measure = async (subject: Subject, options: BenchOptions): Promise<Line> => {
  const workflow_id = await deploy(subject, pureBody)
  // Idle is a server that has worked before: a heap that grows for the first time says nothing about loops.
  for (let turn = 0; turn < 20; turn += 1) await runLoop(subject, workflow_id, 5_000)
  const rates: number[] = []
  const memory: number[] = []
  for (let turn = 0; turn < options.rounds; turn += 1) {
    const { chosen } = await undisturbed(() =>
      profiled(options.profile_dir, 'loop', async () => {
        const { value: run, foreign_cpu } = await spendingOf(() => aboveIdle(() => runLoop(subject, workflow_id, items)))
        return { ...run, foreign_cpu }
      }),
    )
    rates.push(chosen.value)
    memory.push(chosen.above_idle_mib)
  }
  const items_per_s = median(rates, (rate) => rate)
  const above_idle_mib = Math.max(...memory)
  const ceiling = byHand(items)
  return {
    figure: 'loop',
    conditions: {
      items,
      body: 'data.set, two expressions',
      idle: 'after 20 loops of 5,000 items, collected',
      in_process: true,
      fsync: true,
      rounds: options.rounds,
    },
    measured: { items_per_s, above_idle_mib },
    ceiling: { items_per_s: ceiling, what: 'the same in plain JavaScript, recorded nowhere' },
    ratio: round(items_per_s / ceiling, 3),
    target,
    met: items_per_s >= target.items_per_s && above_idle_mib <= target.above_idle_mib,
    complaints: [],
  }
}

const measureEffects = async (subject: Subject, directory: string, options: BenchOptions): Promise<Line> => {
  const workflow_id = await deploy(subject, effectBody)
  await runLoop(subject, workflow_id, effect_items)
  const rates: number[] = []
  for (let turn = 0; turn < options.rounds; turn += 1) rates.push(await runLoop(subject, workflow_id, effect_items))
  const items_per_s = median(rates, (rate) => rate)
  const bare = await withCeilingDatabase(databaseOf(directory), async (ceiling) => {
    const run = await runBareJournal(ceiling, 1, Math.min(options.seconds, 2))
    await clearCeiling(ceiling)
    return run
  })
  return {
    figure: 'loop of effects',
    conditions: { items: effect_items, parallel, in_process: true, fsync: true, rounds: options.rounds },
    measured: { items_per_s },
    ceiling: {
      items_per_s: Math.round((1000 / bare.commit_p50_ms) * parallel),
      what: 'so many items in each commit, one commit after the other',
    },
    ratio: round(items_per_s / ((1000 / bare.commit_p50_ms) * parallel), 3),
    target: null,
    met: null,
    complaints: [],
  }
}

export const loop: Bench = {
  name: 'loop',
  summary: 'a loop of 100,000 items, its rate and what it takes of memory; and a loop whose items are effects',
  run: (options, report) =>
    withDirectory(async (path) => {
      const directory = join(path, 'server')
      const bench = defineModule({ name: 'bench', nodes: [effectNode] })
      const env = { MILLRACE_DATA_DIR: directory, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn' }
      const composition = createApp({ modules: [bench], roles, env })
      try {
        const app = await composition.start()
        const subject = { app, workspace_id: app.newId() }
        report(await measure(subject, options))
        if (options.profile_dir === null) report(await measureEffects(subject, directory, options))
      } finally {
        await composition.stop()
      }
    }),
}
