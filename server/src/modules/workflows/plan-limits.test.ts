import { afterAll, beforeAll, expect, test } from 'vitest'
import { engine } from '../../engine/engine.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../test-app.ts'
import { checkFor } from '../plans/plans.ts'
import { givePlan, times, usageOf } from '../plans/plans.testing.ts'
import { manual, publish, webhookDefinition } from './definitions.testing.ts'

const limit = 1_000
let mill: TestApp
let beside: TestApp
let admin: TestUser
const closing: (() => Promise<void>)[] = []

const second = (): Promise<TestApp> => testApp({ beside: mill, env: { MILLRACE_DEFAULT_PLAN: 'free' } })

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_DEFAULT_PLAN: 'free' } })
  beside = await second()
  closing.push(() => beside.close())
  admin = await mill.admin()
})
afterAll(async () => {
  for (const close of closing.toReversed()) await close()
  await mill.close()
})

/** A user whose workspace has so many executions left, and a workflow that starts by hand and by a call. */
const withLeft = async (left: number, name: string) => {
  const user = await mill.register(name)
  // Requests are not what this is about.
  const id = await publish(user, {
    nodes: [manual, ...webhookDefinition(name).nodes],
    edges: [...webhookDefinition(name).edges, { from: 'start', to: 'set' }],
  })
  await checkFor(mill.app, user.workspace_id, { feature: 'executions', amount: limit - left })
  return {
    user,
    id,
    byHand: (at: TestApp = mill): Promise<TestReply> => at.as(user)('POST', `/api/v1/workflows/${id}/execute`, { body: {} }),
    byCall: (at: TestApp = mill): Promise<TestReply> => at.call('POST', `/hooks/${name}/${name}`, { body: {} }),
  }
}

const started = async (user: TestUser): Promise<number> => {
  const [row] = await mill.database.owner<
    { n: number }[]
  >`select count(*)::int as n from executions where workspace_id = ${user.workspace_id}`
  return row?.n ?? 0
}

const count = (replies: readonly TestReply[]): { readonly [status: number]: number } =>
  Object.fromEntries([...Map.groupBy(replies, ({ status }) => status)].map(([status, { length }]) => [status, length]))

test('fifty that start at once, on two processes, by hand and by call, get exactly what the month has left', async () => {
  const { user, byHand, byCall } = await withLeft(20, 'anna')
  await expect.poll(async () => (await beside.call('GET', '/hooks/anna/anna')).status).toBe(405)
  const replies = await times(50, 50, (number) => (number % 2 === 0 ? byHand : byCall)(number % 4 < 2 ? mill : beside))
  const { 402: refused = 0, ...others } = count(replies)
  expect(refused).toBe(30)
  expect(Object.values(others).reduce((all, n) => all + n, 0)).toBe(20)
  for (const status of Object.keys(others)) expect(['200', '202']).toContain(status)
  await expect.poll(() => started(user)).toBe(20)
  expect(await usageOf(user, 'executions')).toMatchObject({ used: limit, limit })
})

test('whoever starts by hand is told how much there was; a caller from outside is not', async () => {
  const { byHand, byCall } = await withLeft(0, 'ben')
  const own = await byHand()
  expect(own).toMatchObject({
    status: 402,
    body: {
      ...{ code: 'plans.limit_reached', 'violated-policies': ['executions'], feature: 'executions', plan: 'free', limit, used: limit },
      period_end: expect.stringMatching(/^\d{4}-\d\d-01T00:00:00\.000Z$/),
    },
  })
  expect(own.body.type).toMatch(/\/plans\.limit_reached$/)
  const strange = await byCall()
  expect(strange).toMatchObject({ status: 402, body: { code: 'plans.limit_reached', 'violated-policies': ['executions'] } })
  for (const word of ['plan', 'limit', 'used', 'period_end']) expect(strange.body).not.toHaveProperty(word)
  expect(JSON.stringify(strange.body)).not.toContain('free')
})

test('what does not start is not counted', async () => {
  const { user, id, byHand } = await withLeft(5, 'carl')
  expect((await user.call('POST', `/api/v1/workflows/${id}/pause`)).status).toBe(200)
  expect((await byHand()).status).toBe(409)
  expect((await user.call('POST', `/api/v1/workflows/${id}/resume`)).status).toBe(200)
  expect(await usageOf(user, 'executions')).toMatchObject({ used: limit - 5 })

  const stopping = await second()
  closing.push(() => stopping.close())
  await stopping.app.use(engine).life.drain()
  expect((await byHand(stopping)).status).toBe(503)
  expect(await usageOf(user, 'executions')).toMatchObject({ used: limit - 5 })
  expect((await byHand()).status).toBe(202)
  expect(await usageOf(user, 'executions')).toMatchObject({ used: limit - 4 })
})

test('a repetition with the same Idempotency-Key is counted once', async () => {
  const { user, id } = await withLeft(5, 'dora')
  const start = () => user.call('POST', `/api/v1/workflows/${id}/execute`, { body: {}, headers: { 'idempotency-key': '"once"' } })
  expect([(await start()).status, (await start()).status]).toEqual([202, 202])
  expect(await usageOf(user, 'executions')).toMatchObject({ used: limit - 4 })
})

test('a server that starts anew goes on with the count of the month', async () => {
  const { user, byHand } = await withLeft(3, 'erna')
  const before = await second()
  expect((await byHand(before)).status).toBe(202)
  await before.close()
  const after = await second()
  closing.push(() => after.close())
  expect(count(await times(5, 5, () => byHand(after)))).toEqual({ 202: 2, 402: 3 })
  expect(await started(user)).toBe(3)
})

test('another plan counts at once here, and within a second on another process', async () => {
  const { user, byCall } = await withLeft(0, 'fred')
  expect((await byCall()).status).toBe(402)
  // The other process may not have heard of the webhook yet.
  await expect.poll(async () => (await byCall(beside)).status).toBe(402)
  await givePlan(admin, user, 'enterprise')
  expect((await byCall()).status).toBe(200)
  await expect.poll(async () => (await byCall(beside)).status, { timeout: 1_000 }).toBe(200)
})
