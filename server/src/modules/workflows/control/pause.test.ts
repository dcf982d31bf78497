import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { publish } from '../definitions.testing.ts'
import { chain, does, execute, path, reaches, read, told, workshop } from './control.testing.ts'

const shop = workshop()
const whole = shop.work
let mill: TestApp
let beside: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp({ modules: shop.modules, env: { MILLRACE_ENGINE_TAKEOVER_MS: '1000' } })
  anna = await mill.register('anna')
  beside = await testApp({ modules: shop.modules, beside: mill, env: { MILLRACE_ENGINE_TAKEOVER_MS: '1000' } })
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})
beforeEach(() => {
  shop.work = whole
  shop.begun.length = 0
})

type Verb = 'pause' | 'resume' | 'cancel' | 'retry'
const call = (verb: Verb, id: string, on: TestApp = mill, headers: { [name: string]: string } = {}) =>
  on.as(anna)('POST', `${path}/${id}/${verb}`, { headers })

const rowOf = async (id: string): Promise<object> => {
  const [row] = await mill.database.owner`
    select status, worker_id, paused_at is not null as paused, wake_at::text as wake_at
    from executions
    where id = ${id}`
  return { ...row }
}
const resting = { status: 'waiting', worker_id: null, paused: true, wake_at: 'infinity' }

/** Effects wait until they are let go on. */
const gate = () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  shop.work = async ({ config }) => {
    await promise
    return { output: config.name }
  }
  return resolve
}

const begins = (...paths: string[]) => vi.waitFor(() => expect(shop.begun).toEqual(paths))

test.each(['the process that holds it', 'another process'])(
  'what is in flight comes back and is kept, nothing new begins, and nobody holds it; asked at %s',
  async (where) => {
    const on = where === 'another process' ? beside : mill
    const go = gate()
    const id = await execute(anna, await publish(anna, chain([does('first'), does('second')])))
    await begins('first')
    expect(await call('pause', id, on)).toMatchObject({ status: 200, body: { status: 'running', paused_at: expect.any(String) } })
    // Pausing it once more changes nothing.
    await scenario(mill, { when: () => call('pause', id, on), status: 200, events: [] })
    if (on === beside) await new Promise((resolve) => setTimeout(resolve, 1_500))
    go()
    const paused = await reaches(anna, id, 'waiting')
    expect([paused.paused_at, paused.finished_at, told(paused)]).toEqual([expect.any(String), null, ['first#1 succeeded']])
    expect(await rowOf(id)).toEqual(resting)
    expect(await call('resume', id, on)).toMatchObject({ status: 200, body: { id, status: 'queued', paused_at: null } })
    expect(told(await reaches(anna, id, 'succeeded'))).toEqual(['first#1 succeeded', 'second#1 succeeded'])
    expect(shop.begun).toEqual(['first', 'second'])
    const names = (await mill.events())
      .filter(({ data }) => (data as { execution_id?: string }).execution_id === id)
      .map(({ name, actor }) => `${name.replace('workflows.execution.', '')} by ${actor.type}`)
    expect(names).toEqual(['paused by user', 'resumed by user', 'succeeded by system'])
  },
)

test('whoever resumes it before it rests lets it go on as if nothing had been', async () => {
  const go = gate()
  const id = await execute(anna, await publish(anna, chain([does('first'), does('second')])))
  await begins('first')
  expect((await call('pause', id)).status).toBe(200)
  expect((await call('resume', id)).body).toMatchObject({ status: 'running', paused_at: null })
  go()
  expect(told(await reaches(anna, id, 'succeeded'))).toEqual(['first#1 succeeded', 'second#1 succeeded'])
})

test('no timer of a paused execution fires: neither that of a wait nor its time limit, which stands still', async () => {
  const wait = { id: 'wait', type: 'flow.wait', config: { for_ms: 1_200 } }
  const id = await execute(anna, await publish(anna, chain([wait, does('after')], { timeout_ms: 3_000 })))
  await vi.waitFor(async () => expect(told(await read(anna, id))).toEqual(['wait#1 retrying']))
  expect((await call('pause', id)).status).toBe(200)
  await vi.waitFor(async () => expect(await rowOf(id)).toEqual(resting))
  await new Promise((resolve) => setTimeout(resolve, 3_500))
  expect(await rowOf(id)).toEqual(resting)
  expect(shop.begun).toEqual([])
  expect((await call('resume', id)).status).toBe(200)
  expect((await reaches(anna, id, 'succeeded')).output).toBe('after')
})

test('the answer that a paused execution waits for is kept, and it goes on with it when it is resumed', async () => {
  const where = { id: 'where', type: 'data.set', config: { values: { url: '{{ execution.resume_url }}' } } }
  const wait = { id: 'wait', type: 'flow.wait', config: { webhook: true } }
  const id = await execute(anna, await publish(anna, chain([where, wait, does('after')])))
  const { steps } = await reaches(anna, id, 'waiting')
  expect((await call('pause', id)).status).toBe(200)
  const address = new URL(steps[0].output.url).pathname
  expect((await mill.call('POST', address, { body: { came: 1 } })).status).toBe(200)
  expect(await rowOf(id)).toEqual(resting)
  expect((await call('resume', id)).status).toBe(200)
  const execution = await reaches(anna, id, 'succeeded')
  expect(execution.steps.at(-1).input).toMatchObject({ body: { came: 1 } })
})

test('one that calls another and is paused hears of its end when it is resumed', async () => {
  const go = gate()
  const callee = await publish(anna, chain([does('called')]))
  const caller = await publish(anna, chain([{ id: 'call', type: 'flow.call', config: { workflow_id: callee, input: {} } }]))
  const id = await execute(anna, caller)
  await reaches(anna, id, 'waiting')
  expect((await call('pause', id)).status).toBe(200)
  go()
  const { body } = await anna.call('GET', `/api/v1/workflows/${callee}/executions`)
  await reaches(anna, body.items[0].id, 'succeeded')
  expect(await rowOf(id)).toEqual(resting)
  expect((await call('resume', id)).status).toBe(200)
  expect((await reaches(anna, id, 'succeeded')).output).toBe('called')
})

test('of fifty who resume at once, in two processes, one does', async () => {
  const wait = { id: 'wait', type: 'flow.wait', config: { webhook: true } }
  const id = await execute(anna, await publish(anna, chain([wait])))
  await reaches(anna, id, 'waiting')
  const pauses = await Promise.all(Array.from({ length: 50 }, (_, n) => call('pause', id, n % 2 === 0 ? mill : beside)))
  expect(new Set(pauses.map(({ status }) => status))).toEqual(new Set([200]))
  const resumes = await Promise.all(Array.from({ length: 50 }, (_, n) => call('resume', id, n % 2 === 0 ? mill : beside)))
  expect(resumes.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(resumes.filter(({ body }) => body.code === 'workflows.execution_not_paused')).toHaveLength(49)
  const told_of = (await mill.events()).filter(({ data }) => (data as { execution_id?: string }).execution_id === id)
  expect(told_of.map(({ name }) => name)).toEqual(['workflows.execution.paused', 'workflows.execution.resumed'])
  await reaches(anna, id, 'waiting')
  expect((await call('cancel', id)).status).toBe(200)
})

test('a paused execution is cancelled, before and after it rests, and tried again it is not paused', async () => {
  const go = gate()
  const id = await execute(anna, await publish(anna, chain([does('first'), does('second')])))
  await begins('first')
  await call('pause', id)
  go()
  await reaches(anna, id, 'waiting')
  expect((await call('cancel', id)).status).toBe(200)
  expect(await reaches(anna, id, 'cancelled')).toMatchObject({ paused_at: null })
  expect((await call('pause', id)).body.code).toBe('workflows.execution_ended')
  expect((await call('retry', id)).body).toMatchObject({ paused_at: null })
  expect(told(await reaches(anna, id, 'succeeded'))).toEqual(['first#1 succeeded', 'second#1 succeeded'])
  shop.begun.length = 0
  shop.work = () => new Promise(() => {})
  const other = await execute(anna, await publish(anna, chain([does('first')])))
  await begins('first')
  await call('pause', other)
  expect((await call('cancel', other)).status).toBe(200)
  await reaches(anna, other, 'cancelled')
})

test('when the process that holds it dies before it rests, it rests with the next one, and nothing begins', async () => {
  const doomed = await testApp({ modules: shop.modules, beside: mill })
  gate()
  const workflow_id = await publish(anna, chain([does('first'), does('second')]))
  const { body } = await doomed.as(anna)('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: {} })
  await begins('first')
  await call('pause', body.id, doomed)
  // As if it had been killed: its row is dead, what it held belongs to nobody.
  await mill.database.owner.begin(async (tx) => {
    await tx`
      update engine_workers
      set state = 'dead', epoch = epoch + 1
      where id = ${doomed.app.instance_id}`
    await tx`
      update executions
      set worker_id = null, status = 'queued', recoveries = recoveries + 1
      where id = ${body.id}`
  })
  await vi.waitFor(async () => expect(await rowOf(body.id)).toEqual(resting), { timeout: 10_000 })
  expect(shop.begun).toEqual(['first'])
  await doomed.close()
  shop.work = whole
  expect((await call('resume', body.id)).status).toBe(200)
  expect(told(await reaches(anna, body.id, 'succeeded'))).toEqual(['first#1 succeeded', 'second#1 succeeded'])
})

test('a loop comes to rest between its effects, and goes on with the next', async () => {
  const go = gate()
  const body = { nodes: [does('one')], edges: [] }
  const loop = { id: 'loop', type: 'flow.loop', config: { items: '{{ [1, 2, 3, 4] }}', parallel: 2, body } }
  const id = await execute(anna, await publish(anna, chain([loop])))
  await begins('loop[0].one', 'loop[1].one')
  await call('pause', id)
  go()
  await reaches(anna, id, 'waiting')
  expect(await rowOf(id)).toEqual(resting)
  expect(shop.begun).toHaveLength(2)
  await call('resume', id)
  expect((await reaches(anna, id, 'succeeded')).output).toEqual({ items: ['one', 'one', 'one', 'one'], errors: [] })
  expect(shop.begun).toEqual([0, 1, 2, 3].map((turn) => `loop[${turn}].one`))
})

test('who is not paused is not resumed; its ETag and its workspace are looked at', async () => {
  const wait = { id: 'wait', type: 'flow.wait', config: { webhook: true } }
  const id = await execute(anna, await publish(anna, chain([wait])))
  await reaches(anna, id, 'waiting')
  const etag = async () => (await anna.call('GET', `${path}/${id}`)).headers.get('etag') as string
  const before = await etag()
  await scenario(mill, { when: () => call('resume', id), status: 409, body: { code: 'workflows.execution_not_paused' }, events: [] })
  expect((await call('pause', id, mill, { 'if-match': '"1"' })).status).toBe(412)
  expect((await call('pause', id, mill, { 'if-match': before })).status).toBe(200)
  expect(await etag()).not.toBe(before)
  expect((await call('resume', id, mill, { 'if-match': before })).status).toBe(412)
  const ben = await mill.register('ben')
  for (const verb of ['pause', 'resume']) expect((await ben.call('POST', `${path}/${id}/${verb}`)).status).toBe(404)
  expect((await call('resume', id)).status).toBe(200)
})
