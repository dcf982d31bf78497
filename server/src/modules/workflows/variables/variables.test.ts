import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { resumeTokens } from '../../../engine/waits/resume-tokens.ts'
import type { RecordBody } from '../../../engine/journal/record.ts'
import type { Json } from '../../../lib/json.ts'
import { testDatabase } from '../../../platform/testing/test-database.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { create, manual, publish, webhookDefinition } from '../definitions.testing.ts'

let mill: TestApp
let beside: TestApp
let anna: TestUser
let ben: TestUser

beforeAll(async () => {
  mill = await testApp()
  beside = await testApp({ beside: mill })
  anna = await mill.register('anna')
  ben = await mill.register('ben')
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

const at = (name: string) => `/api/v1/workflows/variables/${name}`
const set = async (name: string, value: Json, user: TestUser = anna) => {
  const { status, body } = await user.call('PUT', at(name), { body: { value } })
  expect([200, 201]).toContain(status)
  return body
}

const hook = async (path: string, app: TestApp = mill): Promise<Json> => (await app.call('POST', `/hooks/anna/${path}`, { body: {} })).body

const recordsOf = async (execution_id: string): Promise<readonly RecordBody[]> => {
  const rows = await mill.database.owner`select body from execution_records where execution_id = ${execution_id} order by seq`
  return rows.map(({ body }) => body as RecordBody)
}

test('a variable is made, read, changed on its revision, listed and removed, and each change is an event', async () => {
  const made = await anna.call('PUT', at('region'), { body: { value: { name: 'eu', zones: [1, null] }, description: 'Where we are' } })
  expect([made.status, made.body]).toMatchObject([201, { name: 'region', value: { name: 'eu', zones: [1, null] }, updated_by: anna.id }])
  const etag = made.headers.get('etag') as string
  expect((await anna.call('PUT', at('region'), { body: { value: null }, headers: { 'if-match': '"7"' } })).status).toBe(412)
  const changed = await anna.call('PUT', at('region'), { body: { value: null }, headers: { 'if-match': etag } })
  expect([changed.status, changed.body]).toMatchObject([200, { value: null, description: 'Where we are' }])
  await set('tier', 'gold')
  const list = await anna.call('GET', '/api/v1/workflows/variables?order=asc&total=true')
  expect([list.body.total, list.body.items.map(({ name }: { name: string }) => name)]).toEqual([2, ['region', 'tier']])
  expect((await ben.call('GET', at('region'))).status).toBe(404)
  expect((await ben.call('GET', '/api/v1/workflows/variables')).body.items).toEqual([])
  expect((await anna.call('DELETE', at('region'))).status).toBe(204)
  expect((await anna.call('GET', at('region'))).body.code).toBe('workflows.variable_not_found')
  const told = (await mill.events()).filter(({ name }) => name.startsWith('workflows.variable.'))
  expect(told.map(({ name, data }) => [name, data])).toEqual([
    ['workflows.variable.set', { name: 'region', created: true }],
    ['workflows.variable.set', { name: 'region', created: false }],
    ['workflows.variable.set', { name: 'tier', created: true }],
    ['workflows.variable.deleted', { name: 'region' }],
  ])
})

test('expressions and programs see what a variable is now, in every process', async () => {
  await set('price', 2)
  await publish(anna, webhookDefinition('priced', {}, { total: '{{ vars.price * 3 }}' }))
  const program = { id: 'set', type: 'data.code', config: { source: 'export default (input, { vars }) => ({ total: vars.price })' } }
  await publish(anna, { ...webhookDefinition('coded'), nodes: [webhookDefinition('coded').nodes[0], program] })
  expect(await hook('priced')).toEqual({ total: 6 })
  await vi.waitFor(async () => expect(await hook('priced', beside)).toEqual({ total: 6 }))
  await set('price', 5)
  expect(await hook('priced')).toEqual({ total: 15 })
  expect(await hook('coded')).toEqual({ total: 5 })
  await vi.waitFor(async () => expect(await hook('priced', beside)).toEqual({ total: 15 }))
})

const waiting = {
  nodes: [
    manual,
    { id: 'before', type: 'data.set', config: { values: { rate: '{{ vars.rate }}' } } },
    { id: 'wait', type: 'flow.wait', config: { webhook: true } },
    { id: 'after', type: 'data.set', config: { values: { rate: '{{ vars.rate }}', url: '{{ execution.resume_url }}' } } },
  ],
  edges: [
    { from: 'start', to: 'before' },
    { from: 'before', to: 'wait' },
    { from: 'wait', to: 'after' },
  ],
}

test('an execution goes by what its variables were when it began, also after the server that began it has gone', async () => {
  const database = await testDatabase()
  const on = { beside: { database } as TestApp }
  const first = await testApp(on)
  const ada = await first.register('ada')
  await set('rate', 1, ada)
  await set('other', 'not named', ada)
  const workflow_id = await publish(ada, waiting)
  const { body } = await ada.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: {} })
  await vi.waitFor(async () => {
    const [row] = await database.owner`select status, worker_id from executions where id = ${body.id}`
    expect(row).toEqual({ status: 'waiting', worker_id: null })
  })
  await set('rate', 2, ada)
  await first.close()
  const second = await testApp(on)
  try {
    const call = second.as(ada)
    const [wait] = await database.owner`select body from execution_records where execution_id = ${body.id} and seq = 0`
    expect((wait?.['body'] as RecordBody | undefined)?.vars).toEqual({ rate: 1 })
    const address = new URL(second.app.use(resumeTokens).urlFor(body.id)).pathname
    expect((await second.call('POST', address, { body: {} })).status).toBe(200)
    await vi.waitFor(
      async () => {
        const execution = await call('GET', `/api/v1/workflows/executions/${body.id}`)
        expect(execution.body).toMatchObject({ status: 'succeeded', output: { rate: 1 } })
      },
      { timeout: 15_000 },
    )
  } finally {
    await second.close()
    await database.close()
  }
})

test('they are kept with executions that name them, and with no others', async () => {
  await set('kept', 'yes')
  await publish(anna, webhookDefinition('names', {}, { kept: '{{ vars.kept }}' }))
  await publish(anna, webhookDefinition('names-none', {}, { kept: 'no' }))
  const ids = await Promise.all(
    ['names', 'names-none'].map(async (path) =>
      (await mill.call('POST', `/hooks/anna/${path}`, { body: {} })).headers.get('x-millrace-execution-id'),
    ),
  )
  const [named, none] = await Promise.all(ids.map((id) => recordsOf(id as string)))
  expect(named?.map(({ vars }) => vars)).toEqual([{ kept: 'yes' }])
  expect(none?.map((record) => 'vars' in record)).toEqual([false])
})

test('what is queued before it begins takes them when it does', async () => {
  await set('at_begin', 'then')
  const workflow_id = await publish(anna, {
    nodes: [
      { id: 'made', type: 'trigger.event', config: { name: 'workflows.created' } },
      { id: 'set', type: 'data.set', config: { values: { seen: '{{ vars.at_begin }}' } } },
    ],
    edges: [{ from: 'made', to: 'set' }],
  })
  await create(anna, webhookDefinition('occasion'))
  await vi.waitFor(
    async () => {
      const { body } = await anna.call('GET', `/api/v1/workflows/${workflow_id}/executions`)
      // Also on workflows that were made before it, where their events are read after it was published.
      expect(body.items.at(-1)).toMatchObject({ status: 'succeeded' })
      const records = await recordsOf(body.items.at(-1).id)
      expect(records.map(({ vars }) => vars)).toEqual([undefined, { at_begin: 'then' }])
    },
    { timeout: 15_000 },
  )
})

test('a variable that there is none of is a warning, and fails where it is named', async () => {
  const { id } = await create(anna, webhookDefinition('lacking', {}, { got: '{{ vars.nowhere }}' }))
  const { body } = await anna.call('POST', `/api/v1/workflows/${id}/check`)
  expect(body.problems).toEqual([
    { node_id: 'set', path: '/nodes/1/config', severity: 'warning', message: 'The workspace has no variable "nowhere"' },
  ])
  expect((await anna.call('POST', `/api/v1/workflows/${id}/publish`)).status).toBe(201)
  expect((await mill.call('POST', '/hooks/anna/lacking', { body: {} })).body.code).toBe('workflows.execution_failed')
})

test('there are limits to a value, to all of them, and to what they are called', async () => {
  for (const name of ['__proto__', 'a-b', '1a', 'x'.repeat(65)])
    expect((await ben.call('PUT', at(name), { body: { value: 1 } })).status).toBe(422)
  expect((await ben.call('PUT', at('large'), { body: { value: 'x'.repeat(32_767) } })).status).toBe(422)
  expect((await ben.call('PUT', at('none'), { body: {} })).status).toBe(422)
  for (let n = 0; n < 32; n += 1) await set(`large${n}`, 'x'.repeat(32_700), ben)
  expect((await ben.call('PUT', at('one_more'), { body: { value: 'x'.repeat(32_700) } })).body.code).toBe('workflows.too_many_variables')
  await mill.database.owner`
    insert into workflow_variables (workspace_id, name, value, created_at, updated_at)
    select ${ben.workspace_id}, 'small' || n, '1', now(), now() from generate_series(1, 168) n`
  expect((await ben.call('PUT', at('one_more'), { body: { value: 1 } })).body.code).toBe('workflows.too_many_variables')
  expect((await ben.call('PUT', at('small1'), { body: { value: 2 } })).status).toBe(200)
})
