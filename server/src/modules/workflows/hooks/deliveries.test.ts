import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Json, JsonObject } from '../../../lib/json.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../../test-app.ts'
import { create, publish, respondDefinition, webhookDefinition } from '../definitions.testing.ts'

let mill: TestApp
let beside: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_HOOK_WAIT_MS: '5000' } })
  anna = await mill.register('anna')
  beside = await testApp({ beside: mill, env: { MILLRACE_HOOK_WAIT_MS: '5000' } })
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

const deliver = (at: TestApp, path: string, id: string | null, body: object = { n: 1 }) =>
  at.call('POST', `/hooks/anna/${path}`, { body, headers: id === null ? {} : { 'x-delivery': id } })

/** Published, and known to both processes. */
const ready = async (definition: object, path: string): Promise<string> => {
  const workflow_id = await publish(anna, definition)
  await vi.waitFor(async () => expect((await beside.call('GET', `/hooks/anna/${path}`)).status).toBe(405))
  return workflow_id
}

const countOf = async (workflow_id: string): Promise<number> =>
  (await anna.call('GET', `/api/v1/workflows/${workflow_id}/executions?total=true`)).body.total

const idsIn = (replies: readonly TestReply[]) => new Set(replies.map(({ headers }) => headers.get('x-millrace-execution-id')))

for (const respond of ['immediate', 'last_node'] as const) {
  test(`of fifty calls of one delivery at once, over two processes, one starts an execution and all are answered alike (${respond})`, async () => {
    const path = `fifty/${respond}`
    const workflow_id = await ready(webhookDefinition(path, { respond, dedupe: { header: 'X-Delivery' } }), path)
    const replies = await Promise.all(Array.from({ length: 50 }, (_, n) => deliver(n % 2 === 0 ? mill : beside, path, 'one', { n })))
    expect(await countOf(workflow_id)).toBe(1)
    expect([...new Set(replies.map(({ status, body }) => JSON.stringify([status, body])))]).toHaveLength(1)
    expect(replies[0]?.status).toBe(respond === 'immediate' ? 202 : 200)
    expect(idsIn(replies).size).toBe(1)
    expect(replies.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(49)
    await deliver(beside, path, 'two')
    await deliver(mill, path, null)
    await deliver(mill, path, null)
    expect(await countOf(workflow_id)).toBe(4)
  })
}

test('what a node said is said again, with its status and its headers', async () => {
  const definition = respondDefinition('said', { status: 201, headers: { 'x-made': 'yes' }, body: { n: '{{ trigger.body.n }}' } })
  ;(definition.nodes[0] as { config: { [field: string]: Json } }).config['dedupe'] = { expression: 'trigger.body.id' }
  const workflow_id = await ready(definition, 'said')
  const [first, second] = [await deliver(mill, 'said', null, { id: 'a', n: 1 }), await deliver(beside, 'said', null, { id: 'a', n: 2 })]
  for (const { status, body, headers } of [first, second]) expect([status, body, headers.get('x-made')]).toEqual([201, { n: 1 }, 'yes'])
  expect(await countOf(workflow_id)).toBe(1)
})

test('the same delivery is taken again once its time is over', async () => {
  const workflow_id = await ready(webhookDefinition('short', { dedupe: { header: 'x-delivery', window_s: 1 } }), 'short')
  await deliver(mill, 'short', 'one')
  await deliver(mill, 'short', 'one')
  expect(await countOf(workflow_id)).toBe(1)
  await vi.waitFor(
    async () => {
      await deliver(mill, 'short', 'one')
      expect(await countOf(workflow_id)).toBe(2)
    },
    { timeout: 5_000, interval: 300 },
  )
})

test('a sender that is known by its signature need not say where the id of its deliveries stands', async () => {
  const { body: secret } = await anna.call('POST', '/api/v1/workflows/secrets', { body: { name: 'hub', value: 's' } })
  const auth = { type: 'github', secret_id: secret.id }
  const workflow_id = await ready(webhookDefinition('hub', { auth, dedupe: {} }), 'hub')
  const call = () => {
    const signature = `sha256=${createHmac('sha256', 's').update('{"n":1}').digest('hex')}`
    return mill.call('POST', '/hooks/anna/hub', {
      body: { n: 1 },
      headers: { 'x-hub-signature-256': signature, 'x-github-delivery': '72d3162e' },
    })
  }
  expect(idsIn([await call(), await call()]).size).toBe(1)
  expect(await countOf(workflow_id)).toBe(1)
})

test('how deliveries are told apart is checked before a workflow is published', async () => {
  const problems = async (dedupe: JsonObject) => {
    const { id } = await create(anna, webhookDefinition('wrong', { dedupe }))
    const { status, body } = await anna.call('POST', `/api/v1/workflows/${id}/publish`)
    return [status, ...(body.errors ?? []).map(({ path }: { path: string }) => path)]
  }
  expect(await problems({})).toEqual([422, '/nodes/0/config/dedupe'])
  expect(await problems({ expression: 'trigger.body.' })).toContain('/nodes/0/config/dedupe/expression')
  expect(await problems({ expression: 'execution.id' })).toEqual([422, '/nodes/0/config/dedupe'])
  expect(await problems({ header: 'a b' })).toEqual([422, '/nodes/0/config/dedupe/header'])
})

test('the answer to a key that was lost with its process is found with the execution that the key had started', async () => {
  const workflow_id = await ready(webhookDefinition('lost'), 'lost')
  const call = () => mill.call('POST', '/hooks/anna/lost', { body: { n: 1 }, headers: { 'idempotency-key': '"lost"' } })
  const first = await call()
  // As after a crash between the commit of the execution and that of the reply, and two minutes.
  await mill.database.owner`delete from idempotent_replies`
  const second = await call()
  expect([second.status, second.body]).toEqual([first.status, first.body])
  expect(idsIn([first, second]).size).toBe(1)
  expect(await countOf(workflow_id)).toBe(1)
})
