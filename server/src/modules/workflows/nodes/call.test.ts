import { Type } from 'typebox'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { effect } from '../../../engine/node.ts'
import { modules } from '../../../modules.ts'
import { defineModule } from '../../../platform/module.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { manual, publish } from '../definitions.testing.ts'

let gate = Promise.withResolvers<void>()
const gated = defineModule({
  name: 'gated',
  nodes: [
    effect({
      type: 'test.gate',
      title: 'Gate',
      description: 'Waits until the test opens it.',
      icon: 'bolt',
      config: Type.Object({}),
      output: Type.Unknown(),
      run: async () => {
        await gate.promise
        return { output: null }
      },
    }),
  ],
})

let mill: TestApp
let beside: TestApp
let user: TestUser
beforeAll(async () => {
  mill = await testApp({ modules: [...modules, gated] })
  beside = await testApp({ modules: [...modules, gated], beside: mill, env: { MILLRACE_ENGINE_TAKEOVER_MS: '1000' } })
  user = await mill.register('caller')
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

beforeEach(() => {
  gate = Promise.withResolvers<void>()
})

const line = (...nodes: readonly { id: string }[]) => ({
  nodes: [manual, ...nodes],
  edges: nodes.map((node, index) => ({ from: nodes[index - 1]?.id ?? 'start', to: node.id })),
})
const set = (id: string, values: object) => ({ id, type: 'data.set', config: { values } })
const call = (workflow_id: string, config: object = {}, more: object = {}) => ({
  id: 'call',
  type: 'flow.call',
  config: { workflow_id, ...config },
  ...more,
})
const slow = { id: 'slow', type: 'test.gate' }

const run = async (workflow_id: string, input: object = {}, as: TestUser = user) => {
  const { status, body } = await as.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: { input, wait_ms: 20_000 } })
  expect([200, 202]).toContain(status)
  return body
}
const children = (parent: string) => mill.database.owner`
  select c.execution_id, c.path, c.waits, e.status
  from engine_calls as c
  join executions as e on e.id = c.execution_id
  where c.parent_execution_id = ${parent}`

describe('a call of another workflow', () => {
  test('gives its output, and the execution says who called it', async () => {
    const callee = await publish(user, line(set('sum', { n: '{{ trigger.a + trigger.b }}' })))
    const caller = await publish(
      user,
      line(call(callee, { input: { a: '{{ trigger.a }}', b: 2 } }), set('got', { n: '{{ steps.call.output.n }}' })),
    )
    const execution = await run(caller, { a: 40 })
    expect(execution).toMatchObject({ status: 'succeeded', output: { n: 42 } })
    const [child] = await children(execution.id)
    expect(child).toMatchObject({ path: 'call', status: 'succeeded', waits: true })
    expect((await user.call('GET', `/api/v1/workflows/executions/${child?.['execution_id']}`)).body).toMatchObject({
      workflow_id: callee,
      parent_execution_id: execution.id,
      input: { a: 40, b: 2 },
    })
  })

  test('that is not waited for goes on by itself', async () => {
    const callee = await publish(user, line(set('done', { ok: true })))
    const caller = await publish(user, line(call(callee, { wait: false })))
    const execution = await run(caller)
    const [child] = await children(execution.id)
    expect(execution.output).toEqual({ execution_id: child?.['execution_id'] })
    expect(child).toMatchObject({ waits: false })
  })

  test('fails with the error of what it called, and is tried again with a new execution', async () => {
    const callee = await publish(
      user,
      line({ id: 'bad', type: 'flow.stop', config: { status: 'failed', message: 'no more' } } as { id: string }),
    )
    const caller = await publish(user, line(call(callee, {}, { retry: { max_attempts: 2, delay_ms: 1, retry_if: 'true' } })))
    const execution = await run(caller)
    expect(execution).toMatchObject({ status: 'failed', error: { code: 'flow.stopped', message: 'no more', node_id: 'call' } })
    expect((await children(execution.id)).map((row) => String(row['path'])).toSorted()).toEqual(['call', 'call~1'])
  })

  test('of a workflow of another workspace, or of one that is not published, is refused', async () => {
    const stranger = await mill.register('stranger')
    const theirs = await publish(stranger, line(set('secret', { n: 1 })))
    expect(await run(await publish(user, line(call(theirs))))).toMatchObject({ status: 'failed', error: { code: 'flow.call_not_found' } })
    const paused = await publish(user, line(set('n', { n: 1 })))
    await user.call('POST', `/api/v1/workflows/${paused}/pause`)
    expect(await run(await publish(user, line(call(paused))))).toMatchObject({ status: 'failed', error: { code: 'flow.call_not_active' } })
  })

  test('of itself ends after ten', async () => {
    const { body } = await user.call('POST', '/api/v1/workflows', { body: { name: 'circle', definition: line(set('n', {})) } })
    const id = body.id as string
    await user.call('PUT', `/api/v1/workflows/${id}`, { body: { definition: line(call(id)) }, headers: { 'if-match': '"1"' } })
    expect((await user.call('POST', `/api/v1/workflows/${id}/publish`)).status).toBe(201)
    expect(await run(id)).toMatchObject({ status: 'failed', error: { code: 'flow.calls_too_deep' } })
    const rows = await mill.database.owner`select count(*)::int as n from executions where workflow_id = ${id}`
    expect(rows[0]?.['n']).toBe(11)
  })

  test('from the items of a loop starts one execution each', async () => {
    const callee = await publish(user, line(set('twice', { n: '{{ trigger.n * 2 }}' })))
    const body = { nodes: [call(callee, { input: { n: '{{ item }}' } })], edges: [] }
    const caller = await publish(
      user,
      line({ id: 'each', type: 'flow.loop', config: { items: '{{ trigger.list }}', parallel: 2, body } } as { id: string }),
    )
    const execution = await run(caller, { list: [1, 2, 3] })
    expect(execution).toMatchObject({ status: 'succeeded', output: { items: [{ n: 2 }, { n: 4 }, { n: 6 }] } })
    expect((await children(execution.id)).map((row) => String(row['path'])).toSorted()).toEqual([
      'each[0].call',
      'each[1].call',
      'each[2].call',
    ])
  })
})

describe('a caller that waits for long', () => {
  const waiting = async () => {
    const callee = await publish(user, line(slow, set('done', { ok: true })))
    const caller = await publish(user, line(call(callee)))
    const { body } = await user.call('POST', `/api/v1/workflows/${caller}/execute`, { body: { input: {} } })
    const parent = body.id as string
    await expect.poll(async () => (await children(parent)).length, { timeout: 10_000 }).toBe(1)
    return parent
  }
  const stateOf = async (id: string) => (await mill.database.owner`select status, worker_id from executions where id = ${id}`)[0]

  test('ends what it called when it is cancelled', async () => {
    const parent = await waiting()
    expect((await user.call('POST', `/api/v1/workflows/executions/${parent}/cancel`)).status).toBe(200)
    await expect.poll(async () => (await children(parent))[0]?.['status'], { timeout: 10_000 }).toBe('cancelled')
    expect(await stateOf(parent)).toMatchObject({ status: 'cancelled' })
  })

  test('is in nobody’s hands meanwhile, and goes on at once when that ends', async () => {
    const parent = await waiting()
    await expect.poll(() => stateOf(parent), { timeout: 10_000 }).toEqual({ status: 'waiting', worker_id: null })
    const [child] = await children(parent)
    // The first looks after itself come soon; from then on only the end of the child wakes it in time.
    await mill.database.owner`update executions set wake_at = now() + interval '1 hour' where id = ${parent} and wake_at is not null`
    await expect.poll(() => stateOf(parent)).toEqual({ status: 'waiting', worker_id: null })
    gate.resolve()
    await expect.poll(async () => (await stateOf(parent))?.['status'], { timeout: 3_000 }).toBe('succeeded')
    expect((await user.call('GET', `/api/v1/workflows/executions/${parent}`)).body).toMatchObject({ output: { ok: true } })
    expect(await children(parent)).toEqual([expect.objectContaining({ execution_id: child?.['execution_id'], status: 'succeeded' })])
  })

  test('hears of a failure although the process that would have told it died in between', async () => {
    const failing = await publish(
      user,
      line(slow, { id: 'bad', type: 'flow.stop', config: { status: 'failed', message: 'no more' } } as { id: string }),
    )
    const caller = await publish(user, line(call(failing)))
    const { body } = await user.call('POST', `/api/v1/workflows/${caller}/execute`, { body: { input: {} } })
    const parent = body.id as string
    const { owner } = mill.database
    await expect.poll(() => stateOf(parent), { timeout: 10_000 }).toEqual({ status: 'waiting', worker_id: null })
    // As long as the one that it called needs for its end, it cannot be woken.
    const dying = mill.app.newId()
    await owner`update executions set worker_id = ${dying}, wake_at = null, status = 'running' where id = ${parent}`
    gate.resolve()
    await expect.poll(async () => (await children(parent))[0]?.['status'], { timeout: 10_000 }).toBe('failed')
    await owner`update executions set worker_id = null, wake_at = now() + interval '1 hour', status = 'waiting' where id = ${parent}`
    await owner`insert into engine_workers (id, epoch, state, heartbeat_at) values (${dying}, 1, 'alive', now() - interval '1 minute')`
    await expect.poll(() => stateOf(parent), { timeout: 10_000 }).toEqual({ status: 'failed', worker_id: null })
    expect((await user.call('GET', `/api/v1/workflows/executions/${parent}`)).body).toMatchObject({
      error: { code: 'flow.stopped', message: 'no more', node_id: 'call' },
    })
  })
})
