import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { JsonObject } from '../../../lib/json.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { publish } from '../definitions.testing.ts'
import { broken, chain, does, execute, reaches, workshop } from './control.testing.ts'

const shop = workshop()
let mill: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp({ modules: shop.modules, env: { MILLRACE_ENGINE_CAPACITY: '1' } })
  anna = await mill.register('anna')
})
afterAll(() => mill.close())
beforeEach(() => {
  shop.begun.length = 0
  shop.work = ({ config }) => (config.name === 'fails' ? broken() : new Promise(() => {}))
})

const timeout_ms = 1_000
const endless = { id: 'set', type: 'data.set', config: { values: { n: 1 } } }

test.each<[string, JsonObject]>([
  ['an effect that never comes back', does('slow')],
  ['a wait', { id: 'wait', type: 'flow.wait', config: { for_ms: 3_600_000 } }],
  ['a wait for a call', { id: 'wait', type: 'flow.wait', config: { webhook: true } }],
  [
    'a node that fails and is tried again and again',
    does('fails', { retry: { max_attempts: 100, backoff: 'fixed', delay_ms: 50, retry_if: 'true' } }),
  ],
  [
    'a loop over effects',
    { id: 'loop', type: 'flow.loop', config: { items: '{{ [1, 2, 3] }}', body: { nodes: [does('one')], edges: [] } } },
  ],
  [
    'a loop that only computes',
    {
      id: 'while',
      type: 'flow.while',
      config: { condition: '{{ true }}', max_iterations: 1_000_000, body: { nodes: [endless], edges: [] } },
    },
  ],
  [
    'a program that never ends',
    { id: 'code', type: 'data.code', config: { source: 'export default () => { for (;;); }', timeout_ms: 30_000 } },
  ],
])('%s is ended when the time of its execution is over', async (_, node) => {
  const began = Date.now()
  const id = await execute(anna, await publish(anna, chain([node], { timeout_ms })))
  const execution = await reaches(anna, id, 'timed_out')
  expect(execution).toMatchObject({ output: null, error: { code: 'execution.timed_out', node_id: null } })
  expect(Date.now() - began).toBeGreaterThanOrEqual(timeout_ms)
  expect(execution.duration_ms).toBeLessThan(timeout_ms + 5_000)
})

test('the time of one that is queued passes, and then it begins no effect', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  shop.work = async () => {
    await promise
    return { output: null }
  }
  const first = await execute(anna, await publish(anna, chain([does('first')])))
  await vi.waitFor(() => expect(shop.begun).toEqual(['first']))
  const id = await execute(anna, await publish(anna, chain([does('second')], { timeout_ms })))
  await new Promise((over) => setTimeout(over, timeout_ms))
  resolve()
  await reaches(anna, first, 'succeeded')
  expect(await reaches(anna, id, 'timed_out')).toMatchObject({ steps: [] })
  expect(shop.begun).toEqual(['first'])
})

test('the time goes on while nobody holds the execution, and whoever takes it up ends it', async () => {
  const doomed = await testApp({ modules: shop.modules, beside: mill })
  const workflow_id = await publish(anna, chain([does('slow')], { timeout_ms: 2_500 }))
  const { body } = await doomed.as(anna)('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: {} })
  await vi.waitFor(() => expect(shop.begun).toEqual(['slow']))
  // It stops, and hands back what it holds.
  await doomed.close()
  const execution = await reaches(anna, body.id, 'timed_out')
  expect(execution.duration_ms).toBeGreaterThanOrEqual(2_500)
  expect(execution.duration_ms).toBeLessThan(7_500)
})
