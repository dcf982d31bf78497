import { join } from 'node:path'
import postgres from 'postgres'
import { Type } from 'typebox'
import { createApp } from '../../server/src/app.ts'
import { roles } from '../../server/src/roles.ts'
import { engine } from '../../server/src/engine/engine.ts'
import type { Definition } from '../../server/src/engine/graph/definition.ts'
import { effect } from '../../server/src/engine/node.ts'
import type { App } from '../../server/src/platform/context.ts'
import { defineModule } from '../../server/src/platform/module.ts'
import { type Bench, type BenchOptions, type Line, median, round } from '../bench.ts'
import type { DatabaseAddress } from '../ceilings/serve.ts'
import { type BareJournal, runBareJournal } from '../ceilings/steps.ts'
import { clearCeiling, withCeilingDatabase } from '../database.ts'
import { histogram } from '../load/histogram.ts'
import { eachUs, spending } from '../machine.ts'
import { withDirectory } from '../place.ts'
import { profiled } from '../profile.ts'
import { undisturbed } from '../quiet.ts'
import { databaseOf } from '../server.ts'

const concurrency = 500
const warm_up_s = 2
const target = { executions_per_s: 8_000, step_p50_ms: 3 }

const definition: Definition = {
  nodes: [
    { id: 'start', type: 'trigger.manual', config: {} },
    ...['one', 'two', 'three'].map((id) => ({ id, type: 'bench.effect', config: {} })),
  ],
  edges: [
    { from: 'start', to: 'one' },
    { from: 'one', to: 'two' },
    { from: 'two', to: 'three' },
  ],
}

/** An effect that takes no time itself. Told when each begins and ends. */
const effectNode = (told: { readonly begins: () => void; readonly ends: () => void }) =>
  effect({
    type: 'bench.effect',
    title: 'Effect',
    description: 'Does nothing, and has to be durable.',
    icon: 'clock',
    config: Type.Object({}),
    output: Type.Object({ n: Type.Number() }),
    run: async ({ input }) => {
      told.begins()
      const { n } = { n: 0, ...(input as object) }
      told.ends()
      return { output: { n: n + 1 } }
    },
  })

interface Executions {
  readonly executions_per_s: number
  readonly p50_ms: number
  readonly p99_ms: number
  /** CPU for each execution. */
  readonly engine_us: number
  readonly database_us: number
  readonly foreign_cpu: number
}

interface Subject {
  readonly app: App
  readonly database: DatabaseAddress
  readonly workspace_id: string
  readonly workflow_id: string
  readonly started: { count: number }
}

const execute = async ({ app, workspace_id, workflow_id, started }: Subject, at_once: number, seconds: number): Promise<Executions> => {
  const { start } = app.use(engine)
  const latency = histogram()
  const end = performance.now() + seconds * 1000
  let finished = 0
  let all = 0
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const since = performance.now()
      started.count += 1
      const running = await start({ workspace_id, workflow_id, version: 1, mode: 'live', trigger_node_id: 'start', payload: { n: 0 } })
      const { status, output } = await running.finished
      if (status !== 'succeeded' || JSON.stringify(output) !== '{"n":3}')
        throw new Error(`an execution ended as ${status}: ${JSON.stringify(output)}`)
      latency.record((performance.now() - since) * 1000)
      all += 1
      if (performance.now() < end) finished += 1
    }
  }
  const { own_s, database_s, foreign_cpu } = await spending({ pid: process.pid, database_below: process.pid }, async () => {
    await Promise.all(Array.from({ length: at_once }, client))
    return { elsewhere_s: 0 }
  })
  return {
    executions_per_s: Math.round(finished / seconds),
    p50_ms: round(latency.quantile_us(0.5) / 1000),
    p99_ms: round(latency.quantile_us(0.99) / 1000),
    engine_us: eachUs(own_s, all),
    database_us: eachUs(database_s, all),
    foreign_cpu,
  }
}

/** Every start has an execution that has succeeded, whose journal holds the three steps in order, its records numbered without a gap. */
const reconcile = async ({ database, workflow_id, started }: Subject): Promise<readonly string[]> => {
  const sql = postgres({ ...database, max: 1 })
  try {
    const [stored] = await sql<{ executions: number; whole: number }[]>`
      with journals as (
        select e.status, count(r.seq) as records, max(r.seq) as last, string_agg(step ->> 'node_id', ',' order by r.seq) as steps,
          bool_or(r.seq = 0 and r.body -> 'trigger' is not null) as begins, bool_or(r.body -> 'ending' ->> 'status' = 'succeeded') as ends
        from executions as e
        left join execution_records as r on r.execution_id = e.id
        left join json_array_elements(r.body -> 'steps') as step on true
        where e.workflow_id = ${workflow_id}
        group by e.id, e.status
      )
      select
        count(*)::int as executions,
        count(*) filter (where status = 'succeeded' and records = last + 1 and steps = 'one,two,three' and begins and ends)::int as whole
      from journals`
    const right = stored?.executions === started.count && stored.whole === started.count
    return right ? [] : [`${started.count} executions were started, and the database holds ${JSON.stringify(stored)}`]
  } finally {
    await sql.end()
  }
}

const loaded = async (subject: Subject, ceiling: DatabaseAddress, { seconds, rounds, profile_dir }: BenchOptions): Promise<Line> => {
  await execute(subject, concurrency, warm_up_s)
  const bares: BareJournal[] = []
  const runs: Executions[] = []
  for (let turn = 0; turn < rounds; turn++) {
    bares.push((await undisturbed(() => runBareJournal(ceiling, concurrency, seconds))).chosen)
    await clearCeiling(ceiling)
    runs.push((await undisturbed(() => profiled(profile_dir, 'steps', () => execute(subject, concurrency, seconds)))).chosen)
  }
  const ours = median(runs, (run) => run.executions_per_s)
  const bare = median(bares, (run) => run.executions_per_s)
  const complaints = await reconcile(subject)
  return {
    figure: 'steps',
    conditions: { concurrency, effect_steps: 3, in_process: true, fsync: true, seconds, rounds },
    measured: { ...ours },
    ceiling: {
      executions_per_s: bare.executions_per_s,
      journal_us: bare.journal_us,
      database_us: bare.database_us,
      foreign_cpu: bare.foreign_cpu,
    },
    ratio: round(ours.executions_per_s / Math.max(1, bare.executions_per_s)),
    target: { executions_per_s: target.executions_per_s },
    met: ours.executions_per_s >= target.executions_per_s && complaints.length === 0,
    complaints,
  }
}

const alone = async (
  subject: Subject,
  ceiling: DatabaseAddress,
  { seconds }: BenchOptions,
  between: ReturnType<typeof stopwatch>,
): Promise<Line> => {
  const { chosen: bare } = await undisturbed(() => runBareJournal(ceiling, 1, seconds))
  const { chosen: ours } = await undisturbed(async () => {
    between.reset()
    const run = await execute(subject, 1, seconds)
    return { ...run, steps: between.steps() }
  })
  const { steps, ...rest } = ours
  const complaints = await reconcile(subject)
  const step_p50_ms = round(steps.quantile_us(0.5) / 1000, 3)
  return {
    figure: 'step alone',
    conditions: { concurrency: 1, from: 'the end of one effect', to: 'the begin of the next', steps: steps.count(), seconds },
    measured: { step_p50_ms, step_p99_ms: round(steps.quantile_us(0.99) / 1000, 3), ...rest },
    ceiling: { commit_p50_ms: round(bare.commit_p50_ms, 3), foreign_cpu: bare.foreign_cpu },
    ratio: round(step_p50_ms / bare.commit_p50_ms),
    target: { step_p50_ms: target.step_p50_ms },
    met: step_p50_ms <= target.step_p50_ms && complaints.length === 0,
    complaints,
  }
}

/** Measures the time between the end of an effect and the begin of the next of the same execution, with one execution at a time. */
const stopwatch = () => {
  let steps = histogram()
  let ended = 0
  let turn = 0
  return {
    begins: (): void => {
      if (turn++ % 3 > 0) steps.record((performance.now() - ended) * 1000)
    },
    ends: (): void => void (ended = performance.now()),
    reset: (): void => {
      steps = histogram()
      turn = 0
    },
    steps: () => steps,
  }
}

export const steps: Bench = {
  name: 'steps',
  summary: 'executions of three effect steps in process, each result durable before the next begins; and one step alone',
  run: (options, report) =>
    withDirectory(async (path) => {
      const directory = join(path, 'server')
      const between = stopwatch()
      const bench = defineModule({ name: 'bench', nodes: [effectNode(between)] })
      const env = { MILLRACE_DATA_DIR: directory, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn' }
      const composition = createApp({ modules: [bench], roles, env })
      try {
        const app = await composition.start()
        const subject = { app, database: databaseOf(directory), workspace_id: app.newId(), workflow_id: app.newId(), started: { count: 0 } }
        const { workspace_id, workflow_id } = subject
        await app
          .asSystem('deploy what is measured', workspace_id)
          .tx((tx) => app.use(engine).deploy(tx, { workflow_id, version: 1, definition }))
        await withCeilingDatabase(subject.database, async (ceiling) => {
          report(await loaded(subject, ceiling, options))
          if (options.profile_dir === null) report(await alone(subject, ceiling, options, between))
        })
      } finally {
        await composition.stop()
      }
    }),
}
