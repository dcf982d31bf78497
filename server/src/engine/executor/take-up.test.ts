import type { Sql } from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { unavailable } from '../../platform/database/errors.ts'
import { type BareApp, bareApp } from '../../platform/testing/bare-app.ts'
import { type TestDatabase, testDatabase } from '../../platform/testing/test-database.ts'
import { compileVersion } from '../compile.ts'
import { coreNodes } from '../nodes/core.ts'
import type { Versions } from '../versions.ts'
import { type Executor, openExecutor } from './executor.ts'

let database: TestDatabase
let mill: BareApp

beforeAll(async () => {
  database = await testDatabase()
  mill = await bareApp({ database: database.handle })
})
afterAll(async () => {
  await mill.stop()
  await database.close()
})

const version = compileVersion(
  {
    nodes: [
      { id: 'start', type: 'trigger.manual' },
      { id: 'result', type: 'data.set', config: { values: { n: '{{ trigger.n }}' } } },
    ],
    edges: [{ from: 'start', to: 'result' }],
  },
  new Map(coreNodes.map((type) => [type.type, type])),
)

/** An execution that was accepted, and is with nobody. */
const queued = async (): Promise<string> => {
  const { newId } = mill.app
  const [id, workspace_id, workflow_id] = [newId(), newId(), newId()]
  const body = JSON.stringify({ at: Date.now(), trigger: { node_id: 'start', payload: { n: 1 } }, steps: [] })
  await database.owner`
    insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, started_at)
    values (${id}, ${workspace_id}, ${workflow_id}, 1, 'live', 'queued', 'trigger.manual', 'start', now())`
  await database.owner`
    insert into execution_records (execution_id, seq, workspace_id, body)
    values (${id}, 0, ${workspace_id}, ${body}::text::json)`
  return id
}

const withExecutor = async (
  versions: Versions,
  work: (executor: Executor) => Promise<void>,
  sql: Sql = database.handle.system,
): Promise<void> => {
  const limits = { capacity: 10, step_timeout_ms: 1_000, takeover_ms: 6_000, random: () => 0, jobs: [], onDue: () => Promise.resolve() }
  const executor = await openExecutor({ app: mill.app, sql, versions, ...limits })
  try {
    await work(executor)
  } finally {
    await executor.stop()
  }
}

const stateOf = async (id: string): Promise<unknown> => {
  const [row] = await database.owner`select status, error ->> 'code' as code, worker_id from executions where id = ${id}`
  return { ...row }
}

test('an execution whose version cannot be read while the database is away is taken up when it is back', async () => {
  const id = await queued()
  let tries = 0
  const get = async () => {
    tries += 1
    if (tries < 3) throw unavailable(new Error('away'))
    return version
  }
  await withExecutor({ get }, async (executor) => {
    await executor.recover()
    await expect.poll(() => stateOf(id)).toEqual({ status: 'succeeded', code: null, worker_id: null })
  })
  expect(tries).toBe(3)
})

test('an execution whose version is damaged is failed, and does not hold up the others', async () => {
  const [damaged, whole] = [await queued(), await queued()]
  let first = true
  const get = async () => {
    if (!first) return version
    first = false
    throw new Error('the definition cannot be compiled')
  }
  await withExecutor({ get }, async (executor) => {
    await executor.recover()
    await expect.poll(() => stateOf(whole)).toEqual({ status: 'succeeded', code: null, worker_id: null })
    expect(await stateOf(damaged)).toEqual({ status: 'failed', code: 'engine.unrecoverable', worker_id: null })
  })
})

test('an execution that was claimed under a lease which was lost meanwhile is left to whoever has it next', async () => {
  const id = await queued()
  const read = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const get = async () => {
    asked.resolve()
    await read.promise
    return version
  }
  await withExecutor({ get }, async (executor) => {
    const recovering = executor.recover()
    await asked.promise
    // Another process takes it over: the epoch is raised, the execution is somebody else's.
    const other = mill.app.newId()
    await database.owner`update engine_workers set state = 'dead', epoch = epoch + 1 where id = ${mill.app.instance_id}`
    await database.owner`insert into engine_workers (id, epoch, state) values (${other}, 1, 'alive')`
    await database.owner`update executions set worker_id = ${other} where id = ${id}`
    await expect
      .poll(async () => database.owner`select 1 from engine_workers where id = ${mill.app.instance_id} and state = 'alive'`, {
        timeout: 5_000,
      })
      .toHaveLength(1)
    read.resolve()
    await recovering
    expect(await stateOf(id)).toEqual({ status: 'running', code: null, worker_id: other })
    expect(await database.owner`select seq from execution_records where execution_id = ${id}`).toHaveLength(1)
  })
})

test('an execution that was claimed just before the connection was cut is taken up all the same', async () => {
  const id = await queued()
  let cut = false
  const cutOnce = new Proxy(database.handle.system, {
    apply: (sql, self, [text, ...values]: [readonly string[], ...unknown[]]) => {
      if (cut || !text.join('').includes('from execution_records')) return Reflect.apply(sql, self, [text, ...values])
      cut = true
      return Promise.reject(Object.assign(new Error('the connection was cut'), { code: 'CONNECTION_CLOSED' }))
    },
  })
  await withExecutor(
    { get: () => version },
    async (executor) => {
      await executor.recover()
      expect(await stateOf(id)).toMatchObject({ status: 'running', worker_id: mill.app.instance_id })
      await expect.poll(() => stateOf(id)).toEqual({ status: 'succeeded', code: null, worker_id: null })
    },
    cutOnce,
  )
  expect(cut).toBe(true)
})
