import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Executors, openExecutors, type Work } from './executors.testing.ts'

/** Workspaces of the executions that have begun, in their order. */
let begun: string[]
let work: Work
let mill: Executors
beforeEach(async () => {
  begun = []
  work = async ({ workspace_id }) => void begun.push(workspace_id)
  mill = await openExecutors(() => work)
})
afterEach(() => mill.close())

const patient = { timeout: 20_000, interval: 20 }

/** An effect that begins and goes on until `end` is called. */
const untilTold = (): { readonly end: () => void } => {
  const told = Promise.withResolvers<void>()
  work = async ({ workspace_id }) => {
    begun.push(workspace_id)
    await told.promise
  }
  return { end: told.resolve }
}

test('twenty thousand queued executions of one workspace do not hide the one of another', async () => {
  const [many, one, workflow_id] = [mill.app.newId(), mill.app.newId(), await mill.workflow()]
  await mill.queue({ workspace_id: many, workflow_id, count: 20_000 })
  await mill.queue({ workspace_id: one, workflow_id, count: 1 })
  const { end } = untilTold()
  const executor = await mill.open({ capacity: 40 })
  await executor.recover()
  await expect.poll(() => begun.length, patient).toBeGreaterThan(30)
  expect(begun).toContain(one)
  end()
})

test('a process of which one workspace has filled its share begins the one of another, however little becomes free', async () => {
  const [many, one, workflow_id] = [mill.app.newId(), mill.app.newId(), await mill.workflow()]
  const { end } = untilTold()
  const executor = await mill.open({ capacity: 20 })
  const start = async (workspace_id: string) => {
    const running = await executor.start({ workspace_id, workflow_id, version: 1, mode: 'live', trigger_node_id: 'start', payload: {} })
    await running.accepted
    return running
  }
  const all = []
  for (let count = 0; count < 50; count++) all.push(await start(many))
  await expect.poll(() => begun.length, patient).toBe(18)
  all.push(await start(one))
  await expect.poll(() => begun, patient).toContain(one)
  expect(begun).toHaveLength(19)
  end()
  await Promise.all(all.map(({ finished }) => finished))
  expect(begun).toHaveLength(51)
})

test('while one workspace holds what it may, those of another come one after the other through what is left', async () => {
  const [many, other, workflow_id] = [mill.app.newId(), mill.app.newId(), await mill.workflow()]
  const long = Promise.withResolvers<void>()
  work = async ({ workspace_id }) => {
    begun.push(workspace_id)
    if (workspace_id === many) await long.promise
  }
  await mill.queue({ workspace_id: many, workflow_id, count: 500 })
  await mill.queue({ workspace_id: other, workflow_id, count: 100 })
  const executor = await mill.open({ capacity: 20 })
  await executor.recover()
  await expect.poll(() => begun.filter((id) => id === other).length, patient).toBe(100)
  expect(begun.filter((id) => id === many).length).toBeLessThan(20)
  long.resolve()
  await expect.poll(() => begun.length, { ...patient, timeout: 40_000 }).toBe(600)
})

test('within a workspace the higher priority begins first, and before another workspace it counts for nothing', async () => {
  const [a, b, workflow_id] = [mill.app.newId(), mill.app.newId(), await mill.workflow()]
  const order: string[] = []
  work = async ({ execution_id }) => void order.push(execution_id)
  const [low] = await mill.queue({ workspace_id: a, workflow_id, count: 1, priority: -5 })
  const [usual] = await mill.queue({ workspace_id: a, workflow_id, count: 1 })
  const [high] = await mill.queue({ workspace_id: a, workflow_id, count: 1, priority: 100 })
  const [first, second] = await mill.queue({ workspace_id: b, workflow_id, count: 2, priority: -100 })
  // Room for one at a time, so that the order is that of the queue.
  const executor = await mill.open({ capacity: 1 })
  await executor.recover()
  await expect.poll(() => order.length, patient).toBe(5)
  expect(order.filter((id) => [low, usual, high].includes(id))).toEqual([high, usual, low])
  expect(order.filter((id) => [first, second].includes(id))).toEqual([first, second])
})

test('a claim takes from each workspace in turn, whatever the priorities', async () => {
  const [a, b, workflow_id] = [mill.app.newId(), mill.app.newId(), await mill.workflow()]
  const { end } = untilTold()
  await mill.queue({ workspace_id: a, workflow_id, count: 100, priority: 100 })
  await mill.queue({ workspace_id: b, workflow_id, count: 100, priority: -100 })
  const executor = await mill.open({ capacity: 19 })
  await executor.recover()
  await expect.poll(() => begun.length, patient).toBe(18)
  expect(begun.filter((id) => id === a)).toHaveLength(9)
  expect(begun.filter((id) => id === b)).toHaveLength(9)
  end()
  await expect.poll(() => begun.length, patient).toBe(200)
})
