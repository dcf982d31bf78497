import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../../test-app.ts'
import { publish, webhookDefinition } from '../definitions.testing.ts'
import { prune } from './kept-store.ts'
import { requestKeeper } from './keeper.ts'
import type { RequestSummary } from './schema.ts'

let mill: TestApp
let anna: TestUser
let ben: TestUser
let secret_id: string
const secret = 'turn, wheel, turn'

beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
  ben = await mill.register('ben')
  const made = await anna.call('POST', '/api/v1/workflows/secrets', { body: { name: 'hook', value: secret } })
  secret_id = made.body.id
})
afterAll(() => mill.close())

const signed = { type: 'hmac', header: 'x-signature', encoding: 'hex' }
const signatureOf = (body: string): string => createHmac('sha256', secret).update(body).digest('hex')

const post = (path: string, body: string | Buffer, headers: { readonly [name: string]: string } = {}): Promise<TestReply> =>
  mill.call('POST', `/hooks/anna/${path}`, { body, headers: { 'content-type': 'application/json', ...headers } })

const at = (workflow_id: string, rest = '') => `/api/v1/workflows/${workflow_id}/requests${rest}`

const refusedOf = async (workflow_id: string): Promise<readonly RequestSummary[]> => {
  await mill.app.use(requestKeeper).flush()
  const { status, body } = await anna.call('GET', at(workflow_id, '?outcome=refused&order=asc'))
  expect(status).toBe(200)
  return body.items
}

const idOf = (request: RequestSummary | undefined): string => request?.id ?? 'none'

test('calls that are refused are listed with the reason, without their credentials, and for nobody else', async () => {
  const auth = { ...signed, secret_id }
  const id = await publish(anna, webhookDefinition('signed', { auth, keep_requests: 'refused' }))
  const wrong = '{"n": 1,  "spaced": true}'
  const headers = { 'x-signature': signatureOf('other'), authorization: 'Bearer no', cookie: 'a=b', 'x-kept': 'yes' }
  expect((await post('signed?a=1&a=2', wrong, headers)).status).toBe(401)
  expect((await post('signed', '{', { 'x-signature': signatureOf('{') })).status).toBe(400)
  expect((await post('signed', '{}', { 'x-signature': signatureOf('{}'), 'millrace-hops': '10' })).status).toBe(409)
  expect((await anna.call('POST', `/api/v1/workflows/${id}/pause`)).status).toBe(200)
  expect((await post('signed', '{}')).status).toBe(404)
  const items = await refusedOf(id)
  expect(items.map(({ outcome, reason, status }) => [outcome, reason, status])).toEqual(
    ['unauthorized', 'unreadable', 'loop', 'paused'].map((reason) => ['refused', reason, null]),
  )
  const one = await anna.call('GET', at(id, `/${idOf(items[0])}`))
  expect(one.body).toMatchObject({
    ...{ method: 'POST', path: 'signed', query: { a: ['1', '2'] }, body: { n: 1, spaced: true }, reason: 'unauthorized' },
    raw_body: Buffer.from(wrong).toString('base64'),
  })
  expect(one.body.headers).toMatchObject({ 'x-kept': 'yes', 'x-signature': signatureOf('other') })
  expect(Object.keys(one.body.headers)).not.toEqual(expect.arrayContaining(['authorization']))
  expect(Object.keys(one.body.headers)).not.toEqual(expect.arrayContaining(['cookie']))
  const unreadable = await anna.call('GET', at(id, `/${idOf(items[1])}`))
  expect(unreadable.body).toMatchObject({ body: null, raw_body: Buffer.from('{').toString('base64'), method: 'POST' })
  expect((await ben.call('GET', at(id, `/${idOf(items[0])}`))).status).toBe(404)
  expect((await ben.call('GET', at(id, '?outcome=refused'))).status).toBe(404)
  expect((await ben.call('POST', at(id, `/${idOf(items[0])}/replay`))).status).toBe(404)
})

test('the header that is the secret is not kept, not even with a wrong one', async () => {
  const auth = { type: 'header', header: 'X-Token', secret_id }
  const id = await publish(anna, webhookDefinition('token', { auth, keep_requests: 'refused' }))
  expect((await post('token', '{}', { 'x-token': 'nearly right' })).status).toBe(401)
  const [item] = await refusedOf(id)
  const { body } = await anna.call('GET', at(id, `/${idOf(item)}`))
  expect(JSON.stringify(body)).not.toContain('nearly right')
})

test('a delivery that came again is refused as one, and a webhook that keeps nothing has none', async () => {
  const dedupe = { header: 'x-delivery' }
  const keeping = await publish(anna, webhookDefinition('deliveries', { dedupe, keep_requests: 'refused' }))
  const plain = await publish(anna, webhookDefinition('plain', { dedupe }))
  for (const path of ['deliveries', 'deliveries', 'plain', 'plain'])
    expect((await post(path, '{}', { 'x-delivery': 'one' })).status).toBe(200)
  expect((await refusedOf(keeping)).map(({ reason }) => reason)).toEqual(['duplicate'])
  expect(await refusedOf(plain)).toEqual([])
})

test('a member starts the workflow with a call that was refused, which is recorded', async () => {
  const auth = { ...signed, secret_id }
  const values = { got: '{{ trigger.body }}', of: '{{ trigger.replay_of }}' }
  const id = await publish(anna, webhookDefinition('again', { auth, keep_requests: 'refused' }, values))
  expect((await post('again', '{"n": 7}')).status).toBe(401)
  expect((await post('again', '[', { 'x-signature': signatureOf('[') })).status).toBe(400)
  const [request, unreadable] = await refusedOf(id)
  const replayed = await anna.call('POST', at(id, `/${idOf(request)}/replay`))
  expect(replayed.status).toBe(202)
  await vi.waitFor(async () => {
    const { body } = await anna.call('GET', `/api/v1/workflows/executions/${replayed.body.id}`)
    expect(body).toMatchObject({ status: 'succeeded', output: { got: { n: 7 }, of: request?.id } })
  })
  expect((await refusedOf(id))[0]).toMatchObject({ replayed_as: replayed.body.id })
  const told = (await mill.events()).filter(({ name }) => name === 'workflows.request.replayed')
  expect(told.at(-1)).toMatchObject({
    actor: { type: 'user', id: anna.id },
    data: { request_id: request?.id, execution_id: replayed.body.id, outcome: 'refused', reason: 'unauthorized' },
  })
  expect((await anna.call('POST', at(id, `/${idOf(unreadable)}/replay`))).body.code).toBe('workflows.request_not_replayable')
})

test('of calls that were taken the exact bytes are kept where all are asked for, unless JSON says the same', async () => {
  const all = await publish(anna, webhookDefinition('all', { keep_requests: 'all' }))
  const refused = await publish(anna, webhookDefinition('refused', { keep_requests: 'refused' }))
  const spaced = '{ "n": 1.0 }'
  const ids = []
  for (const [path, body] of [
    ['all', spaced],
    ['all', '{"n":1}'],
    ['refused', spaced],
  ] as const)
    ids.push((await post(path, body)).headers.get('x-millrace-execution-id'))
  await mill.app.use(requestKeeper).flush()
  const raw = await Promise.all(ids.map(async (id, n) => (await anna.call('GET', at(n < 2 ? all : refused, `/${id}`))).body))
  expect(raw.map(({ raw_body, body, outcome }) => [raw_body, body, outcome])).toEqual([
    [Buffer.from(spaced).toString('base64'), { n: 1 }, 'accepted'],
    [null, { n: 1 }, 'accepted'],
    [null, { n: 1 }, 'accepted'],
  ])
  expect(await refusedOf(all)).toEqual([])
})

test('a stranger who calls and calls fills no more than the share of one workflow, of a body not more than its beginning', async () => {
  const small = await testApp({ env: { MILLRACE_KEPT_REQUESTS: '5' } })
  try {
    const user = await small.register('anna')
    const made = await user.call('POST', '/api/v1/workflows/secrets', { body: { name: 'hook', value: secret } })
    const auth = { ...signed, secret_id: made.body.id }
    const id = await publish(user, webhookDefinition('flood', { auth, keep_requests: 'refused' }))
    const large = JSON.stringify({ text: 'x'.repeat(100_000) })
    const statuses = await Promise.all(
      Array.from({ length: 30 }, () => small.call('POST', '/hooks/anna/flood', { body: large }).then(({ status }) => status)),
    )
    expect(new Set(statuses)).toEqual(new Set([401]))
    await small.app.use(requestKeeper).flush()
    const { body } = await user.call('GET', `/api/v1/workflows/${id}/requests?outcome=refused&total=true`)
    expect(body.total).toBe(5)
    const one = await user.call('GET', `/api/v1/workflows/${id}/requests/${body.items[0].id}`)
    expect(Buffer.from(one.body.raw_body, 'base64')).toHaveLength(65_536)
    expect((await user.call('POST', `/api/v1/workflows/${id}/requests/${body.items[0].id}/replay`)).body.code).toBe(
      'workflows.request_not_replayable',
    )
    const ctx = small.app.asSystem('a test')
    const removed = await ctx.tx((tx) => prune(tx.db, { before: '2000-01-01T00:00:00Z', count: 4, bytes: 220_000, batch: 100 }))
    expect(removed).toBe(2)
    expect(await ctx.tx((tx) => prune(tx.db, { before: '2100-01-01T00:00:00Z', count: 4, bytes: 1e9, batch: 100 }))).toBe(3)
  } finally {
    await small.close()
  }
})

test('what was kept goes with its workflow', async () => {
  const id = await publish(anna, webhookDefinition('goes', { keep_requests: 'refused' }))
  expect((await post('goes', '{')).status).toBe(400)
  expect(await refusedOf(id)).toHaveLength(1)
  expect((await anna.call('DELETE', `/api/v1/workflows/${id}`, { headers: { 'if-match': '*' } })).status).toBeLessThan(300)
  expect(await mill.database.owner`select from workflow_requests where workflow_id = ${id}`).toHaveLength(0)
})
