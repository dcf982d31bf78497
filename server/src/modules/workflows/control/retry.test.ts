import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { publish } from '../definitions.testing.ts'
import { broken, chain, does, execute, path, reaches, read, told, workshop } from './control.testing.ts'

const shop = workshop()
const whole = shop.work
let mill: TestApp
let beside: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp({ modules: shop.modules })
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

const retry = (id: string, on: TestApp = mill, headers: { [name: string]: string } = {}) =>
  on.as(anna)('POST', `${path}/${id}/retry`, { headers })

/** `bad` fails until it is repaired. */
const failing = (bad = 'bad') => {
  const state = { broken: true }
  shop.work = (input, io) => (state.broken && input.config.name === bad ? broken() : whole(input, io))
  return state
}

test('an execution goes on from the step that failed: it is the same one, and what had succeeded is not done again', async () => {
  const keys: string[] = []
  const state = failing()
  const work = shop.work
  shop.work = (input, io) => {
    keys.push(io.idempotency_key)
    return work(input, io)
  }
  const id = await execute(anna, await publish(anna, chain([does('first'), does('bad'), does('last')])))
  const failed = await reaches(anna, id, 'failed')
  state.broken = false
  const reply = await retry(id)
  expect([reply.status, reply.body]).toMatchObject([200, { id, status: 'queued', finished_at: null, error: null, duration_ms: null }])
  expect(reply.body.started_at).toBe(failed.started_at)
  const execution = await reaches(anna, id, 'succeeded')
  const events = (await mill.events()).filter(({ data }) => (data as { execution_id?: string }).execution_id === id)
  expect(events.map(({ name, actor }) => [name.replace('workflows.execution.', ''), actor.type])).toEqual([
    ['failed', 'system'],
    ['retried', 'user'],
    ['succeeded', 'system'],
  ])
  expect(execution.output).toBe('last')
  expect(told(execution)).toEqual(['first#1 succeeded', 'bad#1 failed', 'bad#2 succeeded', 'last#1 succeeded'])
  expect(keys).toEqual(['first', 'bad', 'bad', 'last'].map((node) => `${id}:${node}`))
  const rows = await mill.database.owner`select body from execution_records where execution_id = ${id} order by seq`
  expect(rows.map((row) => row['body']).filter((record) => (record as { retried?: object }).retried)).toMatchObject([
    { retried: { by: { type: 'user', id: anna.id } }, steps: [] },
  ])
})

test('it fails again and is tried again as often as one likes; each try has its own tries of the node', async () => {
  const state = failing()
  const bad = does('bad', { retry: { max_attempts: 2, backoff: 'fixed', delay_ms: 1, retry_if: 'true' } })
  const id = await execute(anna, await publish(anna, chain([bad])))
  for (let times = 1; times < 4; times += 1) {
    expect(told(await reaches(anna, id, 'failed'))).toHaveLength(times * 2)
    if (times === 3) state.broken = false
    expect((await retry(id)).status).toBe(200)
    await vi.waitFor(async () => expect((await read(anna, id)).steps.length).toBeGreaterThan(times * 2))
  }
  expect(told(await reaches(anna, id, 'succeeded')).at(-1)).toBe('bad#7 succeeded')
})

test('of fifty who try at once, in two processes, one lets it go on; the others are told so', async () => {
  const state = failing()
  const id = await execute(anna, await publish(anna, chain([does('bad')])))
  await reaches(anna, id, 'failed')
  state.broken = false
  shop.begun.length = 0
  const replies = await Promise.all(Array.from({ length: 50 }, (_, n) => retry(id, n % 2 === 0 ? mill : beside)))
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(replies.filter(({ status, body }) => status === 409 && body.code === 'workflows.execution_not_failed')).toHaveLength(49)
  await reaches(anna, id, 'succeeded')
  expect(shop.begun).toEqual(['bad'])
})

test('one that runs or has succeeded is not tried again, nor one of another workspace or one that was changed meanwhile', async () => {
  const go = Promise.withResolvers<void>()
  shop.work = async () => {
    await go.promise
    return { output: 1 }
  }
  const id = await execute(anna, await publish(anna, chain([does('bad')])))
  await scenario(mill, { when: () => retry(id), status: 409, body: { code: 'workflows.execution_not_failed' }, events: [] })
  go.resolve()
  await reaches(anna, id, 'succeeded')
  expect((await retry(id)).status).toBe(409)
  failing()
  const failed = await execute(anna, await publish(anna, chain([does('bad')])))
  await reaches(anna, failed, 'failed')
  const ben = await mill.register('ben')
  expect((await ben.call('POST', `${path}/${failed}/retry`)).status).toBe(404)
  expect((await retry(failed, mill, { 'if-match': '"1"' })).status).toBe(412)
  expect((await retry(failed, mill, { 'if-match': (await anna.call('GET', `${path}/${failed}`)).headers.get('etag') ?? '' })).status).toBe(
    200,
  )
})

test('the same Idempotency-Key tries again once, also when that has failed meanwhile', async () => {
  failing()
  const id = await execute(anna, await publish(anna, chain([does('bad')])))
  await reaches(anna, id, 'failed')
  const key = { 'idempotency-key': '"again"' }
  const first = await retry(id, mill, key)
  await vi.waitFor(async () => expect(told(await reaches(anna, id, 'failed'))).toHaveLength(2))
  expect(await retry(id, mill, key)).toMatchObject({ status: 200, body: first.body })
  expect(told(await read(anna, id))).toHaveLength(2)
})

test('a cancelled execution goes on with what was in flight', async () => {
  let hang = true
  shop.work = ({ config }, io) =>
    hang ? new Promise((_, reject) => io.signal.addEventListener('abort', reject)) : Promise.resolve({ output: config.name })
  const id = await execute(anna, await publish(anna, chain([does('slow')])))
  await vi.waitFor(() => expect(shop.begun).toEqual(['slow']))
  expect((await anna.call('POST', `${path}/${id}/cancel`)).status).toBe(200)
  await reaches(anna, id, 'cancelled')
  hang = false
  expect((await retry(id)).status).toBe(200)
  expect(told(await reaches(anna, id, 'succeeded'))).toEqual(['slow#1 succeeded'])
})

test('one that took too long has its whole time again', async () => {
  let hang = true
  shop.work = ({ config }) => (hang ? new Promise(() => {}) : Promise.resolve({ output: config.name }))
  const id = await execute(anna, await publish(anna, chain([does('slow')], { timeout_ms: 2_000 })))
  expect(await reaches(anna, id, 'timed_out')).toMatchObject({ error: { code: 'execution.timed_out' } })
  const at = Date.now()
  expect((await retry(id)).status).toBe(200)
  await reaches(anna, id, 'timed_out')
  expect(Date.now() - at).toBeGreaterThanOrEqual(2_000)
  hang = false
  expect((await retry(id)).status).toBe(200)
  expect((await reaches(anna, id, 'succeeded')).output).toBe('slow')
})

const loop = (config: object) => ({
  id: 'loop',
  type: 'flow.loop',
  config: {
    items: '{{ [0, 1, 2, 3, 4] }}',
    body: { nodes: [does('one'), does('two')], edges: [{ from: 'one', to: 'two' }] },
    ...config,
  },
})

test.each([1, 3])(
  'in a loop with %i at a time the turn that failed goes on at its step, and turns that had ended stay',
  async (parallel) => {
    let bad = true
    shop.work = ({ config, input }, io) =>
      bad && io.path === 'loop[2].two' ? broken() : Promise.resolve({ output: config.name === 'one' ? input : { got: input } })
    const id = await execute(anna, await publish(anna, chain([loop({ parallel })])))
    expect((await reaches(anna, id, 'failed')).error).toMatchObject({ code: 'test.broken', details: { index: 2, node_id: 'two' } })
    const before = new Set(told(await read(anna, id)).filter((line) => line.endsWith('succeeded')))
    expect(before.size).toBeGreaterThan(3)
    bad = false
    shop.begun.length = 0
    expect((await retry(id)).status).toBe(200)
    const execution = await reaches(anna, id, 'succeeded')
    expect(execution.output).toEqual({ items: [0, 1, 2, 3, 4].map((got) => ({ got })), errors: [] })
    expect(shop.begun.filter((begun) => before.has(`${begun}#1 succeeded`))).toEqual([])
    expect(told(execution)).toEqual(
      expect.arrayContaining(['loop[2].two#1 failed', 'loop[2].two#2 succeeded', 'loop#1 failed', 'loop#2 succeeded']),
    )
  },
)

test('errors that a loop collects are its result: they are not tried again with a later step', async () => {
  let bad = true
  shop.work = ({ config, input }, io) =>
    io.path === 'loop[1].two' || (bad && config.name === 'after') ? broken() : Promise.resolve({ output: input })
  const id = await execute(anna, await publish(anna, chain([loop({ on_item_error: 'collect' }), does('after')])))
  await reaches(anna, id, 'failed')
  bad = false
  shop.begun.length = 0
  await retry(id)
  const execution = await reaches(anna, id, 'succeeded')
  expect(shop.begun).toEqual(['after'])
  expect(execution.output).toMatchObject({ items: [0, null, 2, 3, 4], errors: [{ index: 1, code: 'test.broken' }] })
})

test('a branch that was at work when another failed goes on as well', async () => {
  let bad = true
  shop.work = ({ config }, io) => {
    if (!bad) return Promise.resolve({ output: config.name })
    return config.name === 'left' ? broken() : new Promise((_, reject) => io.signal.addEventListener('abort', reject))
  }
  const definition = {
    nodes: [
      { id: 'start', type: 'trigger.manual' },
      does('left'),
      does('right'),
      { id: 'both', type: 'flow.merge', config: { mode: 'all' } },
    ],
    edges: [
      { from: 'start', to: 'left' },
      { from: 'start', to: 'right' },
      { from: 'left', to: 'both' },
      { from: 'right', to: 'both' },
    ],
  }
  const id = await execute(anna, await publish(anna, definition))
  await reaches(anna, id, 'failed')
  bad = false
  await retry(id)
  expect((await reaches(anna, id, 'succeeded')).output).toEqual({ left: 'left', right: 'right' })
})

test('a called workflow that failed is called anew, and one that has succeeded since is found again', async () => {
  const state = failing()
  const callee = await publish(anna, chain([does('bad')]))
  const call = (id: string) => ({ id, type: 'flow.call', config: { workflow_id: callee, input: {} } })
  const caller = await publish(anna, chain([call('call')]))
  const id = await execute(anna, caller)
  await reaches(anna, id, 'failed')
  const children = async () =>
    (await anna.call('GET', `/api/v1/workflows/${callee}/executions`)).body.items as { id: string; status: string }[]
  const [child] = await children()
  // Whoever mends the called one first need not have its work done twice.
  state.broken = false
  await retry(child?.id ?? '')
  await reaches(anna, child?.id ?? '', 'succeeded')
  await retry(id)
  expect((await reaches(anna, id, 'succeeded')).output).toBe('bad')
  expect(await children()).toHaveLength(1)
  state.broken = true
  const other = await execute(anna, caller)
  await reaches(anna, other, 'failed')
  state.broken = false
  await retry(other)
  await reaches(anna, other, 'succeeded')
  expect((await children()).map(({ status }) => status)).toEqual(['succeeded', 'failed', 'succeeded'])
})

test('a wait that nobody ended in time waits once more', async () => {
  const wait = { id: 'wait', type: 'flow.wait', config: { webhook: true, timeout_ms: 1_000 } }
  const where = { id: 'where', type: 'data.set', config: { values: { url: '{{ execution.resume_url }}' } } }
  const id = await execute(anna, await publish(anna, chain([where, wait])))
  const failed = await reaches(anna, id, 'failed')
  expect(failed.error.code).toBe('wait.timed_out')
  await retry(id)
  await reaches(anna, id, 'waiting')
  const address = new URL(failed.steps[0].output.url).pathname
  expect((await mill.call('POST', address, { body: { came: true } })).status).toBe(200)
  expect((await reaches(anna, id, 'succeeded')).output).toMatchObject({ body: { came: true } })
})

test('a process that dies right after it took up what was tried again loses nothing', async () => {
  const state = failing()
  const id = await execute(anna, await publish(anna, chain([does('first'), does('bad')])))
  await reaches(anna, id, 'failed')
  state.broken = false
  // As a process leaves it that has claimed it and is no more: held by somebody whose heart does not beat.
  const dead = mill.app.newId()
  await mill.database.owner`
    insert into engine_workers (id, epoch, state, heartbeat_at)
    values (${dead}, 1, 'alive', now() - interval '1 minute')`
  await mill.database.owner.begin(async (tx) => {
    await tx`
      insert into execution_records (execution_id, seq, workspace_id, body)
      select execution_id, max(seq) + 1, ${anna.workspace_id}, ${JSON.stringify({ at: Date.now(), steps: [], retried: { by: { type: 'user', id: anna.id } } })}::text::json
      from execution_records
      where execution_id = ${id}
      group by execution_id`
    await tx`update executions set status = 'running', finished_at = null, error = null, worker_id = ${dead} where id = ${id}`
  })
  expect(told(await reaches(anna, id, 'succeeded'))).toEqual(['first#1 succeeded', 'bad#1 failed', 'bad#2 succeeded'])
})
