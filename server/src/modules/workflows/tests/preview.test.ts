import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { create, manual, publish } from '../definitions.testing.ts'

let mill: TestApp
let anna: TestUser
let asked = 0
const outside = createServer((_, response) => {
  asked += 1
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ price: 10 }))
})
let url: string

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}/`
})
afterAll(async () => {
  await mill.close()
  outside.closeAllConnections()
  outside.close()
})

const fetching = (id: string) => ({ id, type: 'http.request', config: { method: 'GET', url } })
const priced = (total: string, before: readonly object[] = [fetching('fetch')]) => ({
  nodes: [manual, ...before, { id: 'total', type: 'data.set', config: { values: { total } } }],
  edges: ['start', ...before.map((each) => (each as { id: string }).id)].map((from, index, all) => ({
    from,
    to: all[index + 1] ?? 'total',
  })),
})
const change = async (id: string, definition: object) => {
  const { status } = await anna.call('PUT', `/api/v1/workflows/${id}`, { body: { definition }, headers: { 'if-match': '*' } })
  expect(status).toBe(200)
}
const previewed = async (id: string, body: object = {}) => (await anna.call('POST', `/api/v1/workflows/${id}/preview`, { body })).body

const total = '{{ steps.fetch.output.body.price * trigger.n }}'

test('a draft is held against the last executions: what stays, what comes out otherwise, and effects that are new or gone', async () => {
  const id = await publish(anna, priced(total))
  for (const n of [1, 2, 3]) await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input: { n }, wait_ms: 10_000 } })
  const before = asked
  expect(await previewed(id)).toMatchObject({ changed: 0, unchanged: 3 })
  await change(id, priced('{{ trigger.n > 2 ? 0 : steps.fetch.output.body.price * trigger.n }}'))
  const higher = await previewed(id, { last: 2 })
  expect(higher).toMatchObject({ changed: 1, unchanged: 1 })
  expect(higher.executions[0]).toMatchObject({
    version: 1,
    changed: true,
    differences: [{ path: '/output/total', expected: 30, actual: 0 }],
  })
  await change(id, priced(total, [fetching('fetch'), fetching('another')]))
  expect((await previewed(id)).executions[0]).toMatchObject({ changed: true, new_effects: ['another'] })
  await change(id, priced('{{ trigger.n * 10 }}', []))
  expect((await previewed(id)).executions[0]).toMatchObject({ changed: true, unused_replies: ['fetch'], differences: [] })
  expect(asked).toBe(before)
})

test('the draft must be without mistakes, and belong to the caller', async () => {
  const { id } = await create(anna, { nodes: [manual, { id: 'x', type: 'nope' }], edges: [] })
  expect((await previewed(id)).code).toBe('workflows.not_publishable')
  const stranger = await mill.register('stranger')
  expect((await stranger.call('POST', `/api/v1/workflows/${id}/preview`, { body: {} })).body.code).toBe('workflows.not_found')
})

test('versions are compared with each other and with the draft, and a version that is restored is what it was', async () => {
  const id = await publish(anna, priced(total))
  const compare = (version: number, query = '') => anna.call('GET', `/api/v1/workflows/${id}/versions/${version}/compare${query}`)
  const same = await compare(1)
  expect(same.body).toMatchObject({ version: 1, compared_with: null, nodes: { added: [], removed: [], changed: [] }, layout: null })
  await change(id, priced('{{ trigger.n * 10 }}', []))
  const changed = {
    nodes: {
      added: [],
      removed: [{ id: 'fetch', type: 'http.request' }],
      changed: [{ id: 'total', changes: [{ path: '/config/values/total' }] }],
    },
    edges: { added: [{ from: 'start', port: 'out', to: 'total' }] },
  }
  expect((await compare(1, '?with=draft')).body).toMatchObject(changed)
  await anna.call('POST', `/api/v1/workflows/${id}/publish`)
  expect((await compare(1, '?with=2')).body).toMatchObject({ compared_with: 2, ...changed })
  expect((await compare(1, '?with=3')).body.code).toBe('workflows.version_not_found')
  expect((await compare(3)).body.code).toBe('workflows.version_not_found')
  expect((await compare(1, '?with=latest')).status).toBe(422)

  const { headers } = await anna.call('GET', `/api/v1/workflows/${id}`)
  const restore = (etag: string) => anna.call('POST', `/api/v1/workflows/${id}/versions/1/restore`, { headers: { 'if-match': etag } })
  expect((await restore('"1"')).status).toBe(412)
  expect((await restore(headers.get('etag') ?? '')).status).toBe(200)
  expect((await compare(1)).body).toMatchObject({
    nodes: { added: [], removed: [], changed: [] },
    edges: { added: [], removed: [] },
    layout: null,
  })
  expect((await anna.call('GET', `/api/v1/workflows/${id}`)).body).toMatchObject({ version: 2, status: 'active' })
})
