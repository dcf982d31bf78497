import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Executors, openExecutors, type Work } from '../executor/executors.testing.ts'
import type { Executor } from '../executor/executor.ts'
import type { Running } from '../contract.ts'
import { requestCancel } from '../leases/claim.ts'
import { takeOver } from '../leases/lease-sql.ts'

/** What has begun. */
let order: string[]
let work: Work
let mill: Executors
beforeEach(async () => {
  order = []
  work = async () => null
  mill = await openExecutors(() => work)
})
afterEach(() => mill.close())

const patient = { timeout: 30_000, interval: 20 }

/** Effects that begin, are noted in `order`, and go on until each is ended. */
const gates = () => {
  const open = new Map<string, () => void>()
  work = async ({ execution_id, signal }) => {
    order.push(execution_id)
    const gate = Promise.withResolvers<void>()
    open.set(execution_id, gate.resolve)
    signal.addEventListener('abort', () => gate.resolve())
    await gate.promise
  }
  return { end: (id: string): void => open.get(id)?.() }
}

const stateOf = async (id: string) => {
  const [row] = await mill.database.owner`select status, admitted_at, line, rate_key, finished_at from executions where id = ${id}`
  return { ...row }
}
const unfinished = async (): Promise<number> => (await mill.database.owner`select 1 from executions where finished_at is null`).length

test('of a workflow with a limit so many run at once, the others are queued, and the next begins when one ends', async () => {
  const workflow_id = await mill.workflow({ concurrency: 2 })
  const { end } = gates()
  const executor = await mill.open()
  const [a, b, c, d] = [
    await mill.start(executor, workflow_id),
    await mill.start(executor, workflow_id),
    await mill.start(executor, workflow_id),
    await mill.start(executor, workflow_id),
  ]
  await expect.poll(() => order, patient).toEqual([a.execution_id, b.execution_id])
  expect(await stateOf(c.execution_id)).toMatchObject({ status: 'queued', admitted_at: null, line: '' })
  end(b.execution_id)
  await expect.poll(() => order, patient).toEqual([a.execution_id, b.execution_id, c.execution_id])
  expect(await stateOf(d.execution_id)).toMatchObject({ status: 'queued', admitted_at: null })
  end(a.execution_id)
  end(c.execution_id)
  await expect.poll(() => order, patient).toHaveLength(4)
  end(d.execution_id)
  expect(await d.finished).toMatchObject({ status: 'succeeded' })
})

test('the higher priority begins first, then what came first', async () => {
  const workflow_id = await mill.workflow({ concurrency: 1, priority: 5 })
  const { end } = gates()
  const executor = await mill.open()
  const first = await mill.start(executor, workflow_id)
  await expect.poll(() => order, patient).toHaveLength(1)
  const low = await mill.start(executor, workflow_id, {}, -1)
  const usual = await mill.start(executor, workflow_id)
  const high = await mill.start(executor, workflow_id, {}, 50)
  const later = await mill.start(executor, workflow_id, {}, 50)
  const expected = [first, high, later, usual, low].map(({ execution_id }) => execution_id)
  for (const [index, id] of expected.entries()) {
    await expect.poll(() => order, patient).toEqual(expected.slice(0, index + 1))
    end(id)
  }
})

test('each key has its own limit, and what has no key is limited together', async () => {
  const workflow_id = await mill.workflow({ concurrency: { limit: 1, key: 'trigger.customer' } })
  const { end } = gates()
  const executor = await mill.open()
  const of = async (payload: { customer?: string | number }) => (await mill.start(executor, workflow_id, payload)).execution_id
  const [a1, a2, b1] = [await of({ customer: 'a"{},\\ü' }), await of({ customer: 'a"{},\\ü' }), await of({ customer: 'b' })]
  const [n1, n2, l1, l2] = [
    await of({}),
    await of({}),
    await of({ customer: 'x\u0000'.repeat(500) }),
    await of({ customer: 'x\u0000'.repeat(500) }),
  ]
  await expect.poll(() => order.toSorted(), patient).toEqual([a1, b1, n1, l1].toSorted())
  expect(await stateOf(a2)).toMatchObject({ line: 'a"{},\\ü', admitted_at: null })
  expect(await stateOf(n2)).toMatchObject({ line: '', admitted_at: null })
  expect(await stateOf(l2)).toMatchObject({ line: expect.stringMatching(/^sha256:[0-9a-f]{64}$/), admitted_at: null })
  end(a1)
  await expect.poll(() => order, patient).toContain(a2)
  expect(order).not.toContain(n2)
  for (const id of [b1, n1, l1, a2]) end(id)
  await expect.poll(() => order, patient).toHaveLength(7)
  for (const id of order) end(id)
})

test('a slot becomes free however an execution ends', async () => {
  const workflow_id = await mill.workflow({ concurrency: 1, timeout_ms: 700 })
  const executor = await mill.open()
  const { end } = gates()
  const cancelled = await mill.start(executor, workflow_id)
  await expect.poll(() => order, patient).toHaveLength(1)
  executor.cancel(cancelled.execution_id)
  expect(await cancelled.finished).toMatchObject({ status: 'cancelled' })

  work = () => Promise.reject(new Error('it fails'))
  const failed = await mill.start(executor, workflow_id)
  expect(await failed.finished).toMatchObject({ status: 'failed' })

  gates()
  const over = await mill.start(executor, workflow_id)
  expect(await over.finished).toMatchObject({ status: 'timed_out' })

  work = async () => null
  const last = await mill.start(executor, workflow_id)
  expect(await last.finished).toMatchObject({ status: 'succeeded' })
  end(last.execution_id)
})

test('what stands in line can be ended there, and ends by itself when its time is over, without having begun', async () => {
  const workflow_id = await mill.workflow({ concurrency: 1 })
  const hasty = await mill.workflow({ concurrency: 1, timeout_ms: 1_500 })
  const { end } = gates()
  const executor = await mill.open()
  const [first, second] = [await mill.start(executor, workflow_id), await mill.start(executor, workflow_id)]
  await expect.poll(() => order, patient).toEqual([first.execution_id])
  expect(await requestCancel(mill.database.handle.system, second.execution_id)).toBe(true)
  executor.wake()
  expect(await second.finished).toMatchObject({ status: 'cancelled' })
  end(first.execution_id)

  // A slot that is taken by what another process holds, and does not give back.
  const [holder] = await mill.queue({ workspace_id: mill.app.newId(), workflow_id: hasty, count: 1 })
  await mill.database.owner`
    update executions set line = '', admitted_at = now(), worker_id = ${mill.app.newId()}, status = 'running' where id = ${holder as string}`
  const waiting = await mill.start(executor, hasty)
  expect(await stateOf(waiting.execution_id)).toMatchObject({ status: 'queued', admitted_at: null })
  expect(await waiting.finished).toMatchObject({ status: 'timed_out' })
  expect(order).toEqual([first.execution_id])
})

test('an execution that another process executes answers whoever waits for it here', async () => {
  const workflow_id = await mill.workflow({ concurrency: 1 })
  const { end } = gates()
  const [here, there] = [await mill.open(), await mill.open()]
  const first = await mill.start(there, workflow_id)
  await expect.poll(() => order, patient).toHaveLength(1)
  const second = await mill.start(here, workflow_id)
  const finished = second.finished
  await here.drain()
  end(first.execution_id)
  await expect.poll(() => order, patient).toHaveLength(2)
  end(second.execution_id)
  expect(await finished).toMatchObject({ status: 'succeeded' })
})

test('a limit that is raised lets in who stands in line, and one that is taken away lets in all', async () => {
  const workflow_id = await mill.workflow({ concurrency: 1 })
  gates()
  const executor = await mill.open()
  for (let count = 0; count < 6; count++) await mill.start(executor, workflow_id)
  await expect.poll(() => order, patient).toHaveLength(1)
  await mill.database.owner`update engine_limits set concurrency = 3 where workflow_id = ${workflow_id}`
  executor.limitsChanged(workflow_id)
  await expect.poll(() => order, patient).toHaveLength(3)
  await mill.database.owner`update engine_limits set concurrency = null where workflow_id = ${workflow_id}`
  executor.limitsChanged(workflow_id)
  await expect.poll(() => order, patient).toHaveLength(6)
})

test('several processes, one of which is taken for dead again and again, never exceed a limit, and nothing is stuck in the end', async () => {
  const limit = 4
  const workflow_id = await mill.workflow({ concurrency: { limit, key: 'trigger.key' } })
  let worst = 0
  work = async () => {
    const rows = await mill.database.owner<{ n: number }[]>`
      select count(*) as n from executions
      where workflow_id = ${workflow_id} and admitted_at is not null and finished_at is null
      group by line`
    worst = Math.max(worst, ...rows.map(({ n }) => n))
  }
  const executors = [await mill.open(), await mill.open(), await mill.open()]
  const started: Promise<Running>[] = []
  const startSome = (count: number): void => {
    for (let index = 0; index < count; index++) started.push(mill.start(executors[index % 3] as Executor, workflow_id, { key: index % 5 }))
  }
  startSome(300)
  for (let time = 0; time < 5; time++) {
    // The others take over what it holds; what it has begun goes on for a while, and counts for nothing.
    await mill.database.owner`
      update engine_workers
      set heartbeat_at = now() - interval '1 hour'
      where id = (select worker_id from executions where worker_id is not null limit 1)`
    await takeOver(mill.database.handle.system, 60_000)
    startSome(20)
    await Promise.allSettled(started.slice(-20))
  }
  // Some may have been refused by a process that was taken for dead just then.
  const accepted = (await Promise.allSettled(started)).filter(({ status }) => status === 'fulfilled').length
  await expect.poll(unfinished, { ...patient, timeout: 60_000 }).toBe(0)
  expect(worst).toBeGreaterThan(1)
  expect(worst).toBeLessThanOrEqual(limit)
  expect(accepted).toBeGreaterThan(100)
  const [counted] = await mill.database.owner`
    select count(*) as all, count(*) filter (where status = 'succeeded') as succeeded, sum(recoveries) > 0 as some_recovered
    from executions`
  expect({ ...counted }).toEqual({ all: accepted, succeeded: accepted, some_recovered: true })
})

test('so many begin within any time, exactly, across processes and by key', async () => {
  const [limit, per_ms] = [5, 400]
  const workflow_id = await mill.workflow({ rate_limit: { limit, per_ms, key: 'trigger.key' } })
  const executors = [await mill.open(), await mill.open(), await mill.open()]
  const all = Array.from({ length: 60 }, (_, index) => mill.start(executors[index % 3] as Executor, workflow_id, { key: index % 2 }))
  await Promise.all(all)
  await expect.poll(unfinished, { ...patient, timeout: 60_000 }).toBe(0)
  const rows = await mill.database.owner<{ line: string; at: number }[]>`
    select line, extract(epoch from admitted_at)::float8 * 1000 as at from executions order by admitted_at`
  expect(rows).toHaveLength(60)
  for (const key of ['0', '1']) {
    const times = rows.filter(({ line }) => line === key).map(({ at }) => at)
    expect(times).toHaveLength(30)
    // A millisecond, to which the column is rounded.
    for (let index = limit; index < times.length; index++)
      expect((times[index] as number) - (times[index - limit] as number)).toBeGreaterThanOrEqual(per_ms - 1)
    // And not slower than it may be: five at once, then five again.
    expect((times[limit - 1] as number) - (times[0] as number)).toBeLessThan(per_ms)
  }
})

test('who is held up by a rate holds up nobody of the same line that has another', async () => {
  const workflow_id = await mill.workflow({ concurrency: 100, rate_limit: { limit: 1, per_ms: 86_400_000, key: 'trigger.customer' } })
  const executor = await mill.open()
  const first = await mill.start(executor, workflow_id, { customer: 'a' })
  const held_up = await mill.start(executor, workflow_id, { customer: 'a' }, 100)
  const other = await mill.start(executor, workflow_id, { customer: 'b' })
  await Promise.all([first.finished, other.finished])
  expect(await stateOf(held_up.execution_id)).toMatchObject({ status: 'queued', admitted_at: null, line: '', rate_key: 'a' })
})
