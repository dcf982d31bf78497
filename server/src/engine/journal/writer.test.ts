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

test('a large entry is set aside before it is written, and not written at all when the lease is lost or the writer closed meanwhile', async () => {
  const { owner } = database
  const id = mill.app.newId()
  await owner`insert into engine_workers (id, epoch, state) values (${id}, 1, 'alive')`
  const large = (): Entry => ({ ...entry(), body: JSON.stringify({ at: 0, steps: [], filling: 'x'.repeat(300_000) }) })
  const asides: { readonly entry: Entry; readonly done: () => void }[] = []
  const writer = journalWriter({
    sql: database.handle.system,
    lease: () => ({ id, epoch: 1 }),
    setAside: (one) =>
      new Promise((resolve) => void asides.push({ entry: one, done: () => resolve({ ...one, body: '{"at":1,"steps":[]}' }) })),
    log: mill.app.log,
    now: mill.app.now,
    onLeaseLost: () => {},
    onEvents: () => {},
  })
  const bodiesOf = async ({ execution_id }: Entry) =>
    (await owner`select body from execution_records where execution_id = ${execution_id}`).map(({ body }) => body as unknown)
  const [first, small] = [large(), entry()]
  let idle = false
  const written = writer.commit(first)
  // Others do not wait for it.
  await writer.commit(small)
  const drained = writer.drained().then(() => void (idle = true))
  expect(asides.map((aside) => aside.entry)).toEqual([first])
  expect([await bodiesOf(first), await bodiesOf(small), idle]).toEqual([[], [{ at: 0, steps: [] }], false])
  asides[0]?.done()
  await Promise.all([written, drained])
  expect(await bodiesOf(first)).toEqual([{ at: 1, steps: [] }])

  for (const [end, code] of [
    [writer.drop, 'engine.lease_lost'],
    [writer.close, 'engine.draining'],
  ] as const) {
    const late = large()
    const refused = expect(writer.commit(late)).rejects.toMatchObject({ code })
    end()
    asides.at(-1)?.done()
    await refused
    expect(await bodiesOf(late)).toEqual([])
  }
  await writer.drained()
})
