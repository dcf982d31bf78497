import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type TestApp, testApp } from '../../../test-app.ts'
import { publish } from '../definitions.testing.ts'

let mill: TestApp
let beside: TestApp
beforeAll(async () => {
  mill = await testApp()
  beside = await testApp({ beside: mill })
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

test('a schedule fires by itself, on time to the fraction of a second, once with two processes', async () => {
  const user = await mill.register()
  const nodes = [{ id: 'tick', type: 'trigger.schedule', config: { every_ms: 1_000 } }]
  const id = await publish(user, { nodes, edges: [] })
  const fired = async () => {
    const { body } = await user.call('GET', `/api/v1/workflows/${id}/executions?order=asc`)
    const all = (body.items as { id: string }[]).map((execution) => user.call('GET', `/api/v1/workflows/executions/${execution.id}`))
    return (await Promise.all(all)).map((reply) => reply.body.input as { scheduled_at: string; fired_at: string })
  }
  await vi.waitFor(async () => expect((await fired()).length).toBeGreaterThanOrEqual(3), { timeout: 8_000, interval: 100 })
  await user.call('POST', `/api/v1/workflows/${id}/archive`)
  const times = await fired()
  expect(new Set(times.map(({ scheduled_at }) => scheduled_at)).size).toBe(times.length)
  const late = times.map(({ scheduled_at, fired_at }) => Date.parse(fired_at) - Date.parse(scheduled_at))
  // Polling alone would be up to ten seconds late.
  expect(Math.min(...late)).toBeGreaterThanOrEqual(0)
  expect(late.toSorted((a, b) => a - b)[1]).toBeLessThan(500)
})
