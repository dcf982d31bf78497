import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { App } from '../../platform/context.ts'
import { type BareApp, bareApp } from '../../platform/testing/bare-app.ts'
import { type TestDatabase, testDatabase } from '../../platform/testing/test-database.ts'
import { type LeaseRow, register } from './lease-sql.ts'
import { holdLease, type Lease } from './lease.ts'

let database: TestDatabase
let bare: BareApp
let app: App
beforeAll(async () => {
  database = await testDatabase()
  bare = await bareApp({ database: database.handle })
  ;({ app } = bare)
})
afterAll(async () => {
  await bare.stop()
  await database.close()
})

/** An execution that a worker holds, as a batch under its lease leaves it. */
const heldBy = async (worker_id: string): Promise<string> => {
  const id = app.newId()
  await database.owner`
    insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, worker_id, started_at)
    values (${id}, ${app.newId()}, ${app.newId()}, 1, 'live', 'running', 'trigger.manual', 'start', ${worker_id}, now())`
  return id
}

const holderOf = async (id: string): Promise<string | null> => {
  const [row] = await database.owner<{ worker_id: string | null }[]>`select worker_id from executions where id = ${id}`
  return row?.worker_id ?? null
}

const holding = (worker_id: string, onLost: () => void = () => undefined): Promise<Lease> =>
  holdLease({
    ...{ sql: database.handle.system, worker_id, takeover_ms: 60_000, now: app.now, jobs: [], log: app.log, onLost },
    onWork: () => Promise.resolve(),
  })

test('a server that starts again frees what it left, and nothing that it has begun since', async () => {
  const worker_id = app.newId()
  await register(database.handle.system, worker_id)
  const left = await heldBy(worker_id)
  const lease = await holding(worker_id)
  try {
    expect(await holderOf(left)).toBeNull()
    const begun = await heldBy(worker_id)
    await lease.recover()
    expect(await holderOf(begun)).toBe(worker_id)
  } finally {
    await lease.stop()
  }
})

test('whoever has lost the lease holds nothing that it left as soon as it has the next one', async () => {
  const worker_id = app.newId()
  const lost: LeaseRow[] = []
  const lease: Lease = await holding(worker_id, () => void lost.push(lease.row()))
  try {
    const before = lease.row()
    const left = await heldBy(worker_id)
    lease.lost(before.epoch)
    // The first moment at which something could begin under the next lease.
    await vi.waitUntil(() => lease.row() !== before, { timeout: 10_000, interval: 0 })
    const begun = await heldBy(worker_id)
    expect(await holderOf(left)).toBeNull()
    await lease.recover()
    expect(await holderOf(begun)).toBe(worker_id)
    expect(lost).toEqual([before])
  } finally {
    await lease.stop()
  }
})
