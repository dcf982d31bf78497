import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { usageOf } from '../../plans/plans.testing.ts'
import { publish } from '../definitions.testing.ts'
import { broken, chain, does, execute, path, reaches, read, told, workshop } from './control.testing.ts'

const shop = workshop()
const whole = shop.work
let mill: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp({ modules: shop.modules })
  anna = await mill.register('anna')
})
afterAll(() => mill.close())
beforeEach(() => {
  shop.work = whole
  shop.begun.length = 0
})

const fork = (id: string, body: object = {}, headers: { [name: string]: string } = {}) =>
  anna.call('POST', `${path}/${id}/fork`, { body, headers })

const republish = async (id: string, definition: object): Promise<void> => {
  const { headers } = await anna.call('GET', `/api/v1/workflows/${id}`)
  const put = await anna.call('PUT', `/api/v1/workflows/${id}`, {
    body: { definition },
    headers: { 'if-match': headers.get('etag') ?? '' },
  })
  expect(put.status).toBe(200)
  const published = await anna.call('POST', `/api/v1/workflows/${id}/publish`)
  expect([published.status, published.body.problems]).toEqual([201, undefined])
}

test('a new execution takes over what was done before a step, and goes on from there', async () => {
  const id = await execute(anna, await publish(anna, chain([does('one'), does('two'), does('three')])), { n: 1 })
  const original = await reaches(anna, id, 'succeeded')
  shop.begun.length = 0
  const { status, body, headers } = await fork(id, { node_id: 'two' })
  expect([status, headers.get('location')]).toEqual([202, `${path}/${body.id}`])
  expect(body).toMatchObject({ version: 1, mode: 'live', input: { n: 1 }, forked_from: { execution_id: id, node_id: 'two' } })
  const forked = await reaches(anna, body.id, 'succeeded')
  expect(shop.begun).toEqual(['two', 'three'])
  expect(told(forked)).toEqual(['one#1 succeeded', 'two#1 succeeded', 'three#1 succeeded'])
  expect(forked.steps.map(({ copied }: { copied?: boolean }) => copied)).toEqual([true, undefined, undefined])
  expect(forked.steps[0].output).toEqual(original.steps[0].output)
  expect(await read(anna, id)).toEqual(original)
  const events = (await mill.events()).filter(({ data }) => (data as { execution_id?: string }).execution_id === body.id)
  expect(events.map(({ name, actor }) => [name, actor.type])).toEqual([
    ['workflows.execution.forked', 'user'],
    ['workflows.execution.succeeded', 'system'],
  ])
})

test('an execution that failed goes on, as a new one, on the version in which that is mended', async () => {
  shop.work = (input) => (input.config.name === 'bad' ? broken() : whole(input, undefined as never))
  const workflow_id = await publish(anna, chain([does('first'), does('bad'), does('last')]))
  const id = await execute(anna, workflow_id)
  await reaches(anna, id, 'failed')
  const mended = chain([does('first'), { ...does('bad'), config: { name: 'good' } }, does('last')])
  await republish(workflow_id, mended)
  shop.begun.length = 0
  const { body } = await fork(id, { node_id: 'bad', version: 2 })
  expect(body).toMatchObject({ version: 2 })
  const forked = await reaches(anna, body.id, 'succeeded')
  expect(told(forked)).toEqual(['first#1 succeeded', 'bad#1 succeeded', 'last#1 succeeded'])
  expect(shop.begun).toEqual(['bad', 'last'])
})

test('a version into which it does not fit is refused, with each node and why; nothing is started', async () => {
  const workflow_id = await publish(anna, chain([does('first'), does('second'), does('third')]))
  const id = await execute(anna, workflow_id)
  await reaches(anna, id, 'succeeded')
  await republish(
    workflow_id,
    chain([does('new'), does('first'), { id: 'second', type: 'data.set', config: { values: {} } }, does('third')]),
  )
  const { body } = await scenario(mill, {
    when: () => fork(id, { node_id: 'third', version: 2 }),
    status: 409,
    body: { code: 'workflows.incompatible_version' },
    events: [],
  })
  expect(body.problems).toEqual([{ node_id: 'second', message: 'It is a data.set there, and was a test.effect in this execution' }])
  expect((await fork(id, { node_id: 'second', version: 2 })).body.problems).toEqual([
    { node_id: 'first', message: 'It depends on "new", of which nothing is kept' },
  ])
  expect((await fork(id, { node_id: 'elsewhere' })).body.problems).toMatchObject([{ node_id: 'elsewhere' }])
  expect((await fork(id, { version: 3 })).body.code).toBe('workflows.version_not_found')
  expect((await anna.call('GET', `/api/v1/workflows/${workflow_id}/executions`)).body.items).toHaveLength(1)
  // From its start it fits anywhere where its trigger is.
  expect(told(await reaches(anna, (await fork(id, { version: 2 })).body.id, 'succeeded'))).toHaveLength(4)
})

test('another input is what the trigger gives, from the start or from a step', async () => {
  const set = (id: string) => ({ id, type: 'data.set', config: { values: { n: '{{ trigger.n }}' } } })
  const id = await execute(anna, await publish(anna, chain([set('one'), set('two')])), { n: 1 })
  await reaches(anna, id, 'succeeded')
  const anew = await reaches(anna, (await fork(id, { input: { n: 2 } })).body.id, 'succeeded')
  expect([anew.input, anew.steps.map(({ output }: { output: object }) => output)]).toEqual([{ n: 2 }, [{ n: 2 }, { n: 2 }]])
  expect(anew.forked_from).toEqual({ execution_id: id, node_id: null })
  const later = await reaches(anna, (await fork(id, { node_id: 'two', input: { n: 3 } })).body.id, 'succeeded')
  expect(later.steps.map(({ output }: { output: object }) => output)).toEqual([{ n: 1 }, { n: 3 }])
})

test('a loop before the step is taken over with what it gave; one that is the step begins anew', async () => {
  const body = { nodes: [does('one')], edges: [] }
  const loop = { id: 'loop', type: 'flow.loop', config: { items: '{{ [1, 2, 3] }}', body } }
  const after = { id: 'after', type: 'data.set', config: { values: { got: '{{ steps.loop.output.items }}' } } }
  const id = await execute(anna, await publish(anna, chain([loop, does('between'), after])))
  const { output } = await reaches(anna, id, 'succeeded')
  shop.begun.length = 0
  const kept = await reaches(anna, (await fork(id, { node_id: 'between' })).body.id, 'succeeded')
  expect([kept.output, shop.begun]).toEqual([output, ['between']])
  shop.begun.length = 0
  const anew = await reaches(anna, (await fork(id, { node_id: 'loop' })).body.id, 'succeeded')
  expect([anew.output, shop.begun]).toEqual([output, ['loop[0].one', 'loop[1].one', 'loop[2].one', 'between']])
  expect((await fork(id, { node_id: 'one' })).status).toBe(409)
})

test('a branch that does not depend on the step is kept, and one that is still under way is done anew', async () => {
  const go = Promise.withResolvers<void>()
  let slow = true
  shop.work = async (input) => {
    if (slow && input.config.name === 'slow') await go.promise
    return { output: input.config.name }
  }
  const definition = {
    nodes: [
      { id: 'start', type: 'trigger.manual' },
      does('left'),
      does('right'),
      does('slow'),
      { id: 'all', type: 'flow.merge', config: { mode: 'all' } },
    ],
    edges: ['left', 'right', 'slow'].flatMap((node) => [
      { from: 'start', to: node },
      { from: node, to: 'all' },
    ]),
  }
  const id = await execute(anna, await publish(anna, definition))
  await expect.poll(async () => (await read(anna, id)).steps.length).toBe(2)
  slow = false
  shop.begun.length = 0
  const forked = await reaches(anna, (await fork(id, { node_id: 'left' })).body.id, 'succeeded')
  expect(forked.output).toEqual({ left: 'left', right: 'right', slow: 'slow' })
  expect(shop.begun.toSorted()).toEqual(['left', 'slow'])
  go.resolve()
  await reaches(anna, id, 'succeeded')
})

test('one Idempotency-Key starts one fork; an outdated ETag, another workspace and a paused workflow start none', async () => {
  const workflow_id = await publish(anna, chain([does('one')]))
  const id = await execute(anna, workflow_id)
  await reaches(anna, id, 'succeeded')
  const key = { 'idempotency-key': '"fork-once"' }
  const [first, again] = [await fork(id, { node_id: 'one' }, key), await fork(id, { node_id: 'one' }, key)]
  expect([first.status, again.body.id]).toEqual([202, first.body.id])
  expect((await fork(id, {}, { 'if-match': '"1"' })).status).toBe(412)
  const ben = await mill.register('ben')
  expect((await ben.call('POST', `${path}/${id}/fork`, { body: {} })).status).toBe(404)
  await anna.call('POST', `/api/v1/workflows/${workflow_id}/pause`)
  expect((await fork(id)).body.code).toBe('workflows.not_active')
  for (const body of [{ node_id: '' }, { version: 0 }, { from: 'one' }]) expect((await fork(id, body)).status).toBe(422)
  await reaches(anna, first.body.id, 'succeeded')
  expect((await anna.call('GET', `/api/v1/workflows/${workflow_id}/executions`)).body.items).toHaveLength(2)
})

test('a fork counts in the plan, and one that is refused does not', async () => {
  const small = await testApp({ modules: shop.modules, beside: mill, env: { MILLRACE_DEFAULT_PLAN: 'free' } })
  const clara = await small.register('clara')
  const workflow_id = await publish(clara, chain([does('one')]))
  const id = await execute(clara, workflow_id)
  await reaches(clara, id, 'succeeded')
  const { used } = await usageOf(clara, 'executions')
  expect((await clara.call('POST', `${path}/${id}/fork`, { body: {} })).status).toBe(202)
  expect((await clara.call('POST', `${path}/${id}/fork`, { body: { node_id: 'none' } })).status).toBe(409)
  expect(await usageOf(clara, 'executions')).toMatchObject({ used: used + 1 })
  await small.close()
})
