import { Type } from 'typebox'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type BareApp, bareApp } from '../../platform/testing/bare-app.ts'
import { type TestDatabase, testDatabase } from '../../platform/testing/test-database.ts'
import { compileVersion } from '../compile.ts'
import type { Running } from '../contract.ts'
import { commitBatch } from '../journal/commit-batch.ts'
import { requestCancel, wake } from '../leases/claim.ts'
import { effect, Later, NodeFailure } from '../node.ts'
import { coreNodes } from '../nodes/core.ts'
import { type Executor, openExecutor } from './executor.ts'

let database: TestDatabase
let mill: BareApp
let ahead_ms = 0
beforeAll(async () => {
  database = await testDatabase()
  const bare = await bareApp({ database: database.handle })
  const app = Object.create(bare.app, { now: { value: () => Date.now() + ahead_ms } }) as typeof bare.app
  mill = { ...bare, app }
})
afterAll(async () => {
  await mill.stop()
  await database.close()
})

const hour_ms = 3_600_000
let work: () => Promise<string>
beforeEach(() => {
  ahead_ms = 0
  work = () => Promise.resolve('done')
})

const waits = effect({
  type: 'test.waits',
  title: 'Waits',
  description: 'Does what the test says.',
  icon: 'bolt',
  config: Type.Object({}),
  output: Type.Unknown(),
  run: async () => ({ output: await work() }),
})
const versionWith = (settings: { timeout_ms?: number } = {}) =>
  compileVersion(
    {
      nodes: [
        { id: 'start', type: 'trigger.manual' },
        {
          id: 'run',
          type: waits.type,
          retry: { max_attempts: 3, backoff: 'fixed', delay_ms: 24 * hour_ms, max_delay_ms: 24 * hour_ms, jitter: false },
        },
      ],
      edges: [{ from: 'start', to: 'run' }],
      settings,
    },
    new Map([...coreNodes, waits].map((type) => [type.type, type])),
  )

const withExecutor = async (
  body: (executor: Executor) => Promise<void>,
  { capacity = 10, version = versionWith() }: { capacity?: number; version?: ReturnType<typeof versionWith> } = {},
): Promise<void> => {
  const limits = { capacity, step_timeout_ms: 60_000, takeover_ms: 6_000, random: () => 0 }
  const executor = await openExecutor({
    ...{ app: mill.app, sql: database.handle.system, versions: { get: () => version }, ...limits },
    ...{ jobs: [workflow_id], onDue: () => Promise.resolve() },
  })
  try {
    await body(executor)
  } finally {
    await executor.stop()
  }
}
const workflow_id = '01900000-0000-7000-8000-000000000002'
const workspace_id = '01900000-0000-7000-8000-000000000001'
const start = async (executor: Executor, mode: 'live' | 'job' = 'live'): Promise<Running> => {
  const running = await executor.start({ workspace_id, workflow_id, version: 1, mode, trigger_node_id: 'start', payload: {} })
  await running.accepted
  return running
}
const stateOf = async (id: string) => {
  const [row] = await database.owner`select status, worker_id, wake_at, error ->> 'code' as code from executions where id = ${id}`
  return { ...row }
}
const patient = { timeout: 10_000, interval: 20 }
const fails = () => Promise.reject(new NodeFailure({ code: 'busy', message: 'Busy', retryable: true }))

test('a workflow whose next try is far off sleeps, and its place is free for others', async () => {
  await withExecutor(
    async (executor) => {
      work = fails
      const sleeper = await start(executor)
      await expect.poll(() => stateOf(sleeper.execution_id), patient).toMatchObject({ status: 'waiting', worker_id: null })
      work = () => Promise.resolve('done')
      const next = await start(executor)
      expect(await next.finished).toMatchObject({ status: 'succeeded' })
      expect(await stateOf(sleeper.execution_id)).toMatchObject({ status: 'waiting' })
      ahead_ms = 24 * hour_ms
      await expect.poll(() => stateOf(sleeper.execution_id), patient).toMatchObject({ status: 'succeeded', wake_at: null })
    },
    { capacity: 1 },
  )
})

test('a workflow whose next try is near stays in memory, and whoever waits for it is told of its end', async () => {
  await withExecutor(async (executor) => {
    let attempts = 0
    work = () => ((attempts += 1) < 3 ? Promise.reject(new Later(10)) : Promise.resolve('done'))
    const running = await start(executor)
    expect(await running.finished).toMatchObject({ status: 'succeeded', output: 'done' })
    const records = await database.owner`select body from execution_records where execution_id = ${running.execution_id}`
    expect(JSON.stringify(records)).toContain('node.again')
  })
})

test('an execution that sleeps is woken in time to be ended by its time limit', async () => {
  await withExecutor(
    async (executor) => {
      work = fails
      const { execution_id } = await start(executor)
      await expect.poll(() => stateOf(execution_id), patient).toMatchObject({ status: 'waiting' })
      const [row] = await database.owner`select wake_at - started_at as after from executions where id = ${execution_id}`
      expect(row?.['after']).toBe('02:00:00')
      ahead_ms = 2 * hour_ms
      await expect.poll(() => stateOf(execution_id), patient).toMatchObject({ status: 'timed_out', code: 'execution.timed_out' })
    },
    { version: versionWith({ timeout_ms: 2 * hour_ms }) },
  )
})

test('an execution whose end is asked for while it falls asleep ends', async () => {
  await withExecutor(async (executor) => {
    const ids: string[] = []
    for (let round = 0; round < 20; round++) {
      const failed = Promise.withResolvers<void>()
      work = () => {
        failed.resolve()
        return fails()
      }
      const { execution_id } = await start(executor)
      await failed.promise
      // From here on its record is being written, or has been.
      await new Promise((resolve) => setImmediate(resolve))
      if (!executor.cancel(execution_id)) expect(await requestCancel(database.handle.system, execution_id)).toBe(true)
      ids.push(execution_id)
    }
    for (const id of ids)
      await expect.poll(() => stateOf(id), patient).toMatchObject({ status: 'cancelled', worker_id: null, wake_at: null })
  })
})

test('a record that is sent again does not put to sleep what has been woken meanwhile', async () => {
  const { app } = mill
  const [execution_id, worker_id] = [app.newId(), app.newId()]
  await database.owner`insert into engine_workers (id, epoch, state) values (${worker_id}, 1, 'alive')`
  await database.owner`
    insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, worker_id, started_at)
    values (${execution_id}, ${workspace_id}, ${workflow_id}, 1, 'live', 'running', 'trigger.manual', 'start', ${worker_id}, now())`
  const wake_at = new Date(Date.now() + hour_ms).toISOString()
  const entry = { execution_id, workspace_id, seq: 1, body: '{"at":1,"steps":[]}', accept: null, finish: null, wake_at }
  const commit = () => commitBatch(database.handle.system, { id: worker_id, epoch: 1 }, [entry], Date.now())
  expect(await commit()).toEqual(new Set())
  expect(await stateOf(execution_id)).toMatchObject({ status: 'waiting', worker_id: null, wake_at })
  expect(await wake(database.handle.system, Date.now() + 2 * hour_ms)).toBe(1)
  await database.owner`update executions set worker_id = ${worker_id}, status = 'running' where id = ${execution_id}`
  expect(await commit()).toEqual(new Set())
  expect(await stateOf(execution_id)).toMatchObject({ status: 'running', worker_id, wake_at: null })
})

test('an end that is sent again, because its answer was lost, does not end what was tried again meanwhile', async () => {
  const { app } = mill
  const [execution_id, worker_id] = [app.newId(), app.newId()]
  await database.owner`insert into engine_workers (id, epoch, state) values (${worker_id}, 1, 'alive')`
  await database.owner`
    insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, worker_id, started_at)
    values (${execution_id}, ${workspace_id}, ${workflow_id}, 1, 'live', 'running', 'trigger.manual', 'start', ${worker_id}, now())`
  const finish = { status: 'failed', finished_at: new Date().toISOString(), error: '{"code":"x"}', event: null } as const
  const entry = { execution_id, workspace_id, seq: 1, body: '{"at":1,"steps":[]}', accept: null, finish, wake_at: null }
  const commit = (sent_before: boolean) =>
    commitBatch(database.handle.system, { id: worker_id, epoch: 1 }, [entry], Date.now(), sent_before)
  // It may as well not have arrived the first time.
  expect(await commit(true)).toEqual(new Set())
  expect(await stateOf(execution_id)).toMatchObject({ status: 'failed', worker_id: null })
  await database.owner`
    update executions
    set status = 'running', finished_at = null, error = null, worker_id = ${worker_id}
    where id = ${execution_id}`
  expect(await commit(true)).toEqual(new Set())
  expect(await stateOf(execution_id)).toMatchObject({ status: 'running', worker_id })
})
