import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BareApp, bareApp } from '../../platform/testing/bare-app.ts'
import { type TestDatabase, testDatabase } from '../../platform/testing/test-database.ts'
import type { LeaseRow } from '../leases/lease-sql.ts'
import type { Entry } from './record.ts'
import { journalWriter } from './writer.ts'

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

const entry = (): Entry => {
  const { newId } = mill.app
  const body = JSON.stringify({ at: 0, steps: [] })
  return { execution_id: newId(), workspace_id: newId(), seq: 1, body, accept: null, finish: null, wake_at: null }
}

test('what was handed in under a lease that is lost is not written under the next one', async () => {
  const { owner } = database
  const id = mill.app.newId()
  await owner`insert into engine_workers (id, epoch, state) values (${id}, 1, 'alive')`
  let lease: LeaseRow = { id, epoch: 1 }
  const writer = journalWriter({
    sql: database.handle.system,
    lease: () => lease,
    log: mill.app.log,
    now: mill.app.now,
    onLeaseLost: () => {},
    onEvents: () => {},
  })
  const entries = [entry(), entry(), entry()] as const
  const answers: Promise<unknown>[] = []
  const handIn = (one: Entry): void =>
    void answers.push(
      writer.commit(one).then(
        () => 'written',
        ({ code }: { code: string }) => code,
      ),
    )
  const waiting = async (): Promise<unknown> => {
    const [row] =
      await owner`select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
    return row?.['n']
  }

  // A takeover is under way: both batches that may be in flight wait for it, and the third entry for one of them.
  await owner.begin(async (tx) => {
    await tx`update engine_workers set epoch = 2, state = 'dead' where id = ${id}`
    for (const [at, one] of entries.slice(0, 2).entries()) {
      handIn(one)
      await expect.poll(waiting).toBe(at + 1)
    }
    handIn(entries[2])
    // The process has noticed and registered anew, before the batches are answered.
    await tx`update engine_workers set epoch = 3, state = 'alive' where id = ${id}`
    lease = { id, epoch: 3 }
    writer.drop()
  })
  expect(await Promise.all(answers)).toEqual(['engine.lease_lost', 'engine.lease_lost', 'engine.lease_lost'])
  const written =
    await owner`select execution_id from execution_records where execution_id = any(${entries.map((one) => one.execution_id)}::uuid[])`
  expect(written).toHaveLength(0)

  const next = entry()
  await writer.commit(next)
  expect(await owner`select 1 from execution_records where execution_id = ${next.execution_id}`).toHaveLength(1)
})
