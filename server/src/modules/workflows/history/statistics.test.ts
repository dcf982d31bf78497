import { afterAll, beforeAll, expect, test } from 'vitest'
import { summarise } from '../../../engine/statistics/summarise.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { manual, publish } from '../definitions.testing.ts'

let mill: TestApp
let beside: TestApp
let anna: TestUser
beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  beside = await testApp({ beside: mill })
  anna = await mill.register('anna')
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

const count = (app = mill.app) => summarise(app.asSystem('a test'))
const statisticsOf = async (id: string, query = '', user = anna) =>
  (await user.call('GET', `/api/v1/workflows/${id}/statistics?${query}`)).body
const run = async (id: string, input: object) =>
  (await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input, wait_ms: 10_000 } })).body

const choosing = {
  nodes: [
    manual,
    { id: 'check', type: 'flow.if', config: { condition: '{{ trigger.good }}' } },
    { id: 'fetch', type: 'http.request', config: { method: 'GET', url: 'http://127.0.0.1:1/' }, retry: { max_attempts: 2, delay_ms: 1 } },
    { id: 'done', type: 'data.set', config: { values: { done: true } } },
  ],
  edges: [
    { from: 'start', to: 'check' },
    { from: 'check', port: 'true', to: 'done' },
    { from: 'check', port: 'false', to: 'fetch' },
  ],
}

test('a workflow tells how often it ran, how it ended, how long it took, and the same of its nodes', async () => {
  const id = await publish(anna, choosing)
  const ended = []
  for (const good of [true, true, false, true]) ended.push(await run(id, { good }))
  expect(ended.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'failed', 'succeeded'])
  expect(await statisticsOf(id)).toMatchObject({
    executions: 0,
    success_rate: null,
    duration_ms: { p50: null, p95: null },
    by_bucket: [],
    nodes: [],
  })
  await count()
  const found = await statisticsOf(id)
  expect(found).toMatchObject({
    ...{ bucket: 'hour', executions: 4, succeeded: 3, failed: 1, cancelled: 0, timed_out: 0, success_rate: 0.75, sampled: 4 },
    rate_per_hour: 4 / 24,
    nodes: [
      { node_id: 'check', runs: 4, failed: 0, retried: 0 },
      { node_id: 'done', runs: 3, failed: 0, retried: 0 },
      { node_id: 'fetch', runs: 1, failed: 1, retried: 1 },
    ],
  })
  const longest = Math.max(...ended.map(({ duration_ms }) => duration_ms))
  expect(Math.abs(found.duration_ms.p95 - longest)).toBeLessThanOrEqual(1 + longest * 0.05)
  expect(found.by_bucket.map(({ executions }: { executions: number }) => executions).reduce((a: number, b: number) => a + b)).toBe(4)
  expect(await statisticsOf(id, 'bucket=day')).toMatchObject({ bucket: 'day', executions: 4, by_bucket: [{ executions: 4, succeeded: 3 }] })
  expect(await statisticsOf(id, 'from=2026-01-01&to=2026-01-02')).toMatchObject({ executions: 0, from: '2026-01-01T00:00:00.000Z' })
})

test('each end is counted once, whoever counts, however often and at the same time', async () => {
  const id = await publish(anna, { nodes: [manual], edges: [] })
  for (let turn = 1; turn <= 5; turn += 1) {
    await run(id, {})
    await Promise.all([count(), count(beside.app), count()])
  }
  await count()
  await count(beside.app)
  expect((await statisticsOf(id)).executions).toBe(5)
})

test('what commits late is not missed', async () => {
  const id = await publish(anna, { nodes: [manual], edges: [] })
  const [late] = [Promise.withResolvers<void>()]
  const data = { execution_id: mill.app.newId(), workflow_id: id, version: 1, mode: 'live', duration_ms: 5, error: null }
  const begun = Promise.withResolvers<void>()
  const open = mill.database.owner.begin(async (tx) => {
    await tx`
      insert into events (workspace_id, name, actor_type, data, created_at)
      values (${anna.workspace_id}, 'workflows.execution.succeeded', 'system', ${JSON.stringify(data)}::text::json, now())`
    begun.resolve()
    await late.promise
  })
  await begun.promise
  await run(id, {})
  await count()
  expect((await statisticsOf(id)).executions).toBe(1)
  late.resolve()
  await open
  await count()
  expect((await statisticsOf(id)).executions).toBe(2)
})

test('a database that was restored elsewhere goes on counting from now on', async () => {
  const id = await publish(anna, { nodes: [manual], edges: [] })
  await run(id, {})
  await mill.database.owner`update engine_statistics_cursor set snapshot = '999999999999:999999999999:'`
  await count()
  expect((await statisticsOf(id)).executions).toBe(0)
  await run(id, {})
  await count()
  expect((await statisticsOf(id)).executions).toBe(1)
})

test('ranges are bounded, and a stranger reads nothing', async () => {
  const id = await publish(anna, { nodes: [manual], edges: [] })
  for (const query of [
    'from=2026-01-01&to=2026-01-16',
    'bucket=day&from=2024-01-01&to=2026-01-01',
    'from=2026-01-02&to=2026-01-01',
    'bucket=week',
    'from=odd',
  ])
    expect([query, (await anna.call('GET', `/api/v1/workflows/${id}/statistics?${query}`)).status]).toEqual([query, 422])
  const ben = await mill.register('ben')
  expect(await statisticsOf(id, '', ben)).toMatchObject({ code: 'workflows.not_found' })
})
