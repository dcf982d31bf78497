import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { derivedId } from '../../../lib/derived-id.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../../test-app.ts'
import { broken, chain, does, execute, path, reaches, workshop } from '../control/control.testing.ts'
import { publish } from '../definitions.testing.ts'

const shop = workshop()
const whole = shop.work
let mill: TestApp
let anna: TestUser
const bad = { now: false }

beforeAll(async () => {
  mill = await testApp({ modules: shop.modules })
  anna = await mill.register('anna')
})
afterAll(() => mill.close())
beforeEach(() => {
  bad.now = false
  shop.work = (input, io) => (bad.now ? broken() : whole(input, io))
})

const bulk = (verb: string, body: object, headers: { [name: string]: string } = {}) =>
  anna.call('POST', `${path}/bulk/${verb}`, { body, headers })
const done = (id: string): Promise<TestReply['body']> =>
  vi.waitFor(
    async () => {
      const { body } = await anna.call('GET', `/api/v1/workflows/bulks/${id}`)
      expect(body).toMatchObject({ status: 'done' })
      return body
    },
    { timeout: 20_000, interval: 50 },
  )
const ended = async (verb: string, body: object): Promise<TestReply['body']> => {
  const { status, body: started } = await bulk(verb, body)
  expect([status, started.code, started.status]).toEqual([202, undefined, 'running'])
  return done(started.id)
}

const failed = async (workflow_id: string, count: number): Promise<string[]> => {
  bad.now = true
  const ids = await Promise.all(Array.from({ length: count }, () => execute(anna, workflow_id)))
  for (const id of ids) await reaches(anna, id, 'failed')
  bad.now = false
  return ids
}
const waiting = async (count: number): Promise<string[]> => {
  const workflow_id = await publish(anna, chain([{ id: 'wait', type: 'flow.wait', config: { webhook: true } }]))
  const ids = await Promise.all(Array.from({ length: count }, () => execute(anna, workflow_id)))
  for (const id of ids) await reaches(anna, id, 'waiting')
  return ids
}

test('many are tried again, each by itself: the list says what came of each, and events name who asked', async () => {
  const workflow_id = await publish(anna, chain([does('one')]))
  const ids = await failed(workflow_id, 3)
  const fine = await execute(anna, workflow_id)
  await reaches(anna, fine, 'succeeded')
  const nobody = mill.app.newId()
  const { status, headers, body: started } = await bulk('retry', { ids: [...ids, fine, nobody] })
  expect([status, started.total, headers.get('location')]).toEqual([202, 5, `/api/v1/workflows/bulks/${started.id}`])
  const result = await done(started.id)
  expect(result).toMatchObject({ verb: 'retry', total: 5, succeeded: 3, failed: 2, next_item: null, finished_at: expect.any(String) })
  expect(result.items).toEqual([
    ...ids.map((id) => ({ id, ok: true })),
    { id: fine, ok: false, code: 'workflows.execution_not_failed' },
    { id: nobody, ok: false, code: 'workflows.execution_not_found' },
  ])
  for (const id of ids) await reaches(anna, id, 'succeeded')
  const retried = (await mill.events()).filter(({ name }) => name === 'workflows.execution.retried')
  expect(retried.map(({ actor, workspace_id }) => [actor, workspace_id])).toEqual(
    ids.map(() => [{ type: 'user', id: anna.id }, anna.workspace_id]),
  )
})

test('a filter says which ones: dead letters of a workflow, by their code', async () => {
  const [one, other] = [await publish(anna, chain([does('one')])), await publish(anna, chain([does('other')]))]
  const ids = await failed(one, 3)
  const [stays] = await failed(other, 1)
  const filter = { workflow_id: one, error_code: 'test.broken', dead: true }
  const dismissed = await ended('dismiss', { filter: { ...filter, to: new Date(Date.now() + 60_000).toISOString() } })
  expect(dismissed.items).toEqual(ids.toSorted().map((id) => ({ id, ok: true })))
  expect(await ended('dismiss', { filter })).toMatchObject({ total: 0, items: [] })
  const { body } = await anna.call('GET', '/api/v1/workflows/dead-letters')
  expect(body.items.map(({ id }: { id: string }) => id)).toEqual([stays])
  // Without a status the filter finds those that the verb is for.
  expect(await ended('retry', { filter: { workflow_id: one } })).toMatchObject({ total: 3, succeeded: 3 })
})

test('pause, resume and cancel', async () => {
  const ids = await waiting(3)
  expect(await ended('pause', { ids })).toMatchObject({ succeeded: 3 })
  for (const id of ids) expect((await anna.call('GET', `${path}/${id}`)).body.paused_at).not.toBeNull()
  expect(await ended('resume', { ids })).toMatchObject({ succeeded: 3 })
  expect((await ended('resume', { ids })).items).toEqual(ids.map((id) => ({ id, ok: false, code: 'workflows.execution_not_paused' })))
  for (const id of ids) await reaches(anna, id, 'waiting')
  expect(await ended('cancel', { ids })).toMatchObject({ succeeded: 3 })
  for (const id of ids) await reaches(anna, id, 'cancelled')
})

test('forks onto a newer version, each once, also when the job is done twice', async () => {
  const workflow_id = await publish(anna, chain([does('one'), does('two')]))
  const ids = await failed(workflow_id, 2)
  await anna.call('POST', `/api/v1/workflows/${workflow_id}/publish`)
  const result = await ended('fork', { ids, node_id: 'one', version: 2 })
  expect(result.items).toEqual(ids.map((id) => ({ id, ok: true, new_execution_id: derivedId(result.id, id) })))
  // As a process leaves it that died before it could say so.
  await mill.database.owner`update workflow_bulk_items set ok = null, new_execution_id = null where bulk_id = ${result.id}`
  await mill.database.owner`update workflow_bulks set finished_at = null where id = ${result.id}`
  await mill.database.owner`
    update executions
    set status = 'queued', finished_at = null, worker_id = null
    where id = ${result.id}`
  await mill.database.owner`delete from execution_records where execution_id = ${result.id} and seq > 0`
  await mill.database.owner`
    update execution_records
    set body = json_build_object('at', 1, 'trigger', body -> 'trigger', 'steps', json_build_array())
    where execution_id = ${result.id}`
  expect(await done(result.id)).toMatchObject({ succeeded: 2, items: result.items })
  for (const { new_execution_id } of result.items) await reaches(anna, new_execution_id, 'succeeded')
  const { body } = await anna.call('GET', `/api/v1/workflows/${workflow_id}/executions?version=2`)
  expect(body.items).toHaveLength(2)
  expect((await ended('fork', { ids, node_id: 'elsewhere' })).items).toMatchObject([
    { code: 'workflows.incompatible_version' },
    { code: 'workflows.incompatible_version' },
  ])
})

test('one Idempotency-Key starts one', async () => {
  const ids = await waiting(1)
  const key = { 'idempotency-key': '"bulk-once"' }
  const [first, again] = [await bulk('pause', { ids }, key), await bulk('pause', { ids }, key)]
  expect([first.status, again.status, again.body.id]).toEqual([202, 202, first.body.id])
  await done(first.body.id)
})

test.each<[string, string, object, number]>([
  ['an unknown verb', 'explode', { filter: { dead: true } }, 422],
  ['nothing', 'retry', {}, 422],
  ['both', 'retry', { ids: ['01a1f88e-0ce8-7005-b005-c97be10db905'], filter: { dead: true } }, 422],
  ['an empty filter', 'cancel', { filter: {} }, 422],
  ['a node without a fork', 'retry', { filter: { dead: true }, node_id: 'one' }, 422],
  ['too many ids', 'retry', { ids: Array.from({ length: 1_001 }, () => crypto.randomUUID()) }, 422],
  ['a workflow of nobody', 'retry', { filter: { workflow_id: '01a1f88e-0ce8-7005-b005-c97be10db905' } }, 404],
])('%s is refused, and nothing is done', async (_, verb, body, status) => {
  await scenario(mill, { when: () => bulk(verb, body), status, events: [] })
})

test('another workspace finds neither the executions nor what came of them, and ten at a time are as many as there may be', async () => {
  const [id] = await waiting(1)
  const ben = await mill.register('ben')
  const { body } = await ben.call('POST', `${path}/bulk/cancel`, { body: { ids: [id] } })
  expect(body.items).toEqual([{ id, ok: false, code: 'workflows.execution_not_found' }])
  expect((await anna.call('GET', `/api/v1/workflows/bulks/${body.id}`)).body.code).toBe('workflows.bulk_not_found')
  await mill.database.owner`
    insert into workflow_bulks (id, workspace_id, verb, options, total, created_at)
    select gen_random_uuid(), ${ben.workspace_id}, 'retry', '{}', 0, now()
    from generate_series(1, 10)`
  expect((await ben.call('POST', `${path}/bulk/cancel`, { body: { ids: [id] } })).body.code).toBe('workflows.too_many_bulks')
  expect((await anna.call('GET', `${path}/${id}`)).body.status).toBe('waiting')
})
