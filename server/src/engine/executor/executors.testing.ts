import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import type { App } from '../../platform/context.ts'
import { type BareApp, bareApp } from '../../platform/testing/bare-app.ts'
import { type TestDatabase, testDatabase } from '../../platform/testing/test-database.ts'
import { compileVersion } from '../compile.ts'
import type { Running } from '../contract.ts'
import type { Definition } from '../graph/definition.ts'
import { numbersOf } from '../graph/limits.ts'
import { effect, type NodeIo } from '../node.ts'
import { coreNodes } from '../nodes/core.ts'
import { type Executor, openExecutor } from './executor.ts'

/** Several executors, as several processes would have them, on one database. */
export interface Executors {
  readonly app: App
  readonly database: TestDatabase
  /** Makes a workflow of one node, `test.work`, which does what `work` of the executors does. */
  readonly workflow: (settings?: Definition['settings']) => Promise<string>
  /** Starts an execution of it; resolves when that is durable. */
  readonly start: (executor: Executor, workflow_id: string, payload?: Json, priority?: number) => Promise<Running>
  /** Another executor, as another process. */
  readonly open: (options?: { readonly capacity?: number }) => Promise<Executor>
  /** Lays out executions that were accepted and are with nobody; answers their ids. */
  readonly queue: (what: { workspace_id: string; workflow_id: string; count: number; priority?: number }) => Promise<readonly string[]>
  readonly close: () => Promise<void>
}

/** Of the executions that are started by `start`. */
export const home_id = '01900000-0000-7000-8000-000000000001'

export type Work = (io: Pick<NodeIo, 'execution_id' | 'workspace_id' | 'signal'>) => Promise<unknown>

const worker = (work: () => Work) =>
  effect({
    type: 'test.work',
    title: 'Works',
    description: 'Does what the test says.',
    icon: 'bolt',
    config: Type.Object({}),
    output: Type.Unknown(),
    run: async (_, io) => ({ output: ((await work()(io)) ?? null) as null }),
  })

export const definitionOf = (settings: Definition['settings'] = {}): Definition => ({
  nodes: [
    { id: 'start', type: 'trigger.manual' },
    { id: 'work', type: 'test.work' },
  ],
  edges: [{ from: 'start', to: 'work' }],
  settings,
})

/** `work`: what the nodes do, looked up each time. */
export const openExecutors = async (work: () => Work): Promise<Executors> => {
  const database = await testDatabase()
  const { owner } = database
  const types = new Map([...coreNodes, worker(work)].map((type) => [type.type, type]))
  const versions = new Map<string, ReturnType<typeof compileVersion>>()
  const apps: BareApp[] = []
  const executors: Executor[] = []
  const first = await bareApp({ database: database.handle })
  const { app } = first
  return {
    app,
    database,
    workflow: async (settings) => {
      const workflow_id = app.newId()
      versions.set(workflow_id, compileVersion(definitionOf(settings), types))
      const numbers = numbersOf(settings ?? {})
      if (numbers !== null) {
        const { concurrency, rate, per_ms } = numbers
        await owner`
          insert into engine_limits (workflow_id, workspace_id, version, concurrency, rate, per_ms)
          values (${workflow_id}, ${home_id}, 1, ${concurrency}, ${rate}, ${per_ms})`
      }
      return workflow_id
    },
    start: async (executor, workflow_id, payload = {}, priority) => {
      const wanted = { workspace_id: home_id, workflow_id, version: 1, mode: 'live', trigger_node_id: 'start', payload } as const
      const running = await executor.start(priority === undefined ? wanted : { ...wanted, priority })
      await running.accepted
      return running
    },
    open: async ({ capacity = 100 } = {}) => {
      const handle = await database.open()
      const bare = await bareApp({ database: handle })
      apps.push(bare)
      const get = (workflow_id: string) => {
        const version = versions.get(workflow_id)
        if (version === undefined) throw new Error('there is no such workflow')
        return version
      }
      const limits = { capacity, step_timeout_ms: 60_000, takeover_ms: 1_500, random: Math.random }
      const executor = await openExecutor({
        ...{ app: bare.app, sql: handle.system, versions: { get }, jobs: [], onDue: () => Promise.resolve(), ...limits },
      })
      executors.push(executor)
      return executor
    },
    queue: async ({ workspace_id, workflow_id, count, priority = 0 }) => {
      const ids = Array.from({ length: count }, () => app.newId())
      const body = JSON.stringify({ at: app.now(), trigger: { node_id: 'start', payload: {} }, steps: [] })
      await owner`
        insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, priority, started_at)
        select id, ${workspace_id}, ${workflow_id}, 1, 'live', 'queued', 'trigger.manual', 'start', ${priority}, now()
        from unnest(${ids}::uuid[]) as id`
      await owner`
        insert into execution_records (execution_id, seq, workspace_id, body)
        select id, 0, ${workspace_id}, ${body}::text::json
        from unnest(${ids}::uuid[]) as id`
      return ids
    },
    close: async () => {
      await Promise.all(executors.map((executor) => executor.stop()))
      await Promise.all([first, ...apps].map((bare) => bare.stop()))
      await database.close()
    },
  }
}
