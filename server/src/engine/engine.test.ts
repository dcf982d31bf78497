import { Type } from 'typebox'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Json } from '../lib/json.ts'
import { modules } from '../modules.ts'
import { defineModule } from '../platform/module.ts'
import { testApp, type TestApp } from '../test-app.ts'
import { engine, type Running } from './engine.ts'
import type { Definition } from './graph/definition.ts'
import { readExecution } from './history.ts'
import { effect, NodeFailure, type NodeInput, type NodeIo, type NodeResult } from './node.ts'

/** What the effects of these tests do; each test says. */
type Work = (input: NodeInput<{ name: string }>, io: NodeIo) => Promise<NodeResult>
let work: Work = () => Promise.resolve({ output: null })

const effects = defineModule({
  name: 'effects',
  nodes: [
    effect({
      type: 'test.effect',
      title: 'Effect',
      description: 'Does what the test says.',
      icon: 'bolt',
      config: Type.Object({ name: Type.String() }),
      output: Type.Unknown(),
      run: (input, io) => work(input, io),
    }),
  ],
})

let mill: TestApp
let beside: TestApp
beforeAll(async () => {
  mill = await testApp({ modules: [...modules, effects] })
  beside = await testApp({ modules: [...modules, effects], beside: mill, env: { MILLRACE_ENGINE_TAKEOVER_MS: '1000' } })
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})
beforeEach(() => {
  work = ({ config }) => Promise.resolve({ output: { did: config.name } })
})

const workspace_id = '01900000-0000-7000-8000-000000000001'
const hook = { id: 'start', type: 'trigger.manual' }
const does = (id: string, extra: object = {}) => ({ id, type: 'test.effect', config: { name: id }, ...extra })
const chain = (...nodes: Definition['nodes']): Definition => ({
  nodes: [hook, ...nodes],
  edges: nodes.map((node, index) => ({ from: nodes[index - 1]?.id ?? 'start', to: node.id })),
})

const deploy = async (definition: Definition): Promise<string> => {
  const workflow_id = mill.app.newId()
  await mill.app.asSystem('a test deploys', workspace_id).tx((tx) => tx.use(engine).deploy(tx, { workflow_id, version: 1, definition }))
  return workflow_id
}
const startOf = async (workflow_id: string, payload: Json = {}, on: TestApp = mill): Promise<Running> =>
  on.app.use(engine).start({ workspace_id, workflow_id, version: 1, mode: 'live', trigger_node_id: 'start', payload })
const start = async (definition: Definition, payload: Json = {}): Promise<Running> => startOf(await deploy(definition), payload)
const read = async (running: Running) => {
  const found = await readExecution(mill.app.asSystem('a test looks'), running.execution_id, { payloads: true })
  if (found === undefined) throw new Error('the execution is not there')
  return found
}

describe('an execution', () => {
  test('of pure nodes is one record in one commit', async () => {
    const set = { id: 'sum', type: 'data.set', config: { values: { next: '{{ trigger.n + 1 }}' } } }
    const running = await start(chain(set), { n: 41 })
    expect(await running.finished).toEqual({ status: 'succeeded', output: { next: 42 }, error: null })
    const records = await mill.database.owner`select seq from execution_records where execution_id = ${running.execution_id}`
    expect(records.map((record) => record['seq'])).toEqual([0])
    expect(await read(running)).toMatchObject({
      status: 'succeeded',
      input: { n: 41 },
      output: { next: 42 },
      steps: [{ node_id: 'sum', input: { n: 41 } }],
    })
  })

  test('is journalled before its first effect begins, and each result before the next effect begins', async () => {
    const seen: unknown[] = []
    work = async ({ config }, io) => {
      const rows = await mill.database.owner`
        select body from execution_records where execution_id = ${io.execution_id} order by seq`
      seen.push(rows.flatMap((row) => (row['body'] as { steps: { node_id: string }[] }).steps.map((step) => step.node_id)))
      return { output: config.name }
    }
    const running = await start(chain(does('first'), does('second'), does('third')))
    expect(await running.finished).toMatchObject({ status: 'succeeded', output: 'third' })
    expect(seen).toEqual([[], ['first'], ['first', 'second']])
  })

  test('runs branches at the same time and merges their outputs', async () => {
    const both = Promise.withResolvers<void>()
    let arrived = 0
    work = async ({ config }) => {
      if (++arrived === 2) both.resolve()
      await both.promise
      return { output: config.name }
    }
    const running = await start({
      nodes: [hook, does('left'), does('right'), { id: 'both', type: 'flow.merge', config: { mode: 'all' } }],
      edges: [
        { from: 'start', to: 'left' },
        { from: 'start', to: 'right' },
        { from: 'left', to: 'both' },
        { from: 'right', to: 'both' },
      ],
    })
    expect(await running.finished).toMatchObject({ status: 'succeeded', output: { left: 'left', right: 'right' } })
  })

  test('keeps NUL bytes and lone surrogates of its payload', async () => {
    const payload = { text: 'a\u0000b', half: '\ud800' }
    const running = await start(chain({ id: 'copy', type: 'data.set', config: { values: { text: '{{ trigger.text }}' } } }), payload)
    expect(await running.finished).toMatchObject({ output: { text: 'a\u0000b' } })
    expect((await read(running)).input).toEqual(payload)
  })

  test('that fails says which node failed and why, and tells it once', async () => {
    work = () => Promise.reject(new NodeFailure({ code: 'shop.closed', message: 'The shop is closed' }))
    const running = await start(chain(does('buy'), does('eat')))
    const end = await running.finished
    expect(end).toMatchObject({
      status: 'failed',
      output: null,
      error: { code: 'shop.closed', message: 'The shop is closed', node_id: 'buy' },
    })
    expect(await read(running)).toMatchObject({
      status: 'failed',
      error: { code: 'shop.closed', node_id: 'buy' },
      steps: [{ node_id: 'buy', status: 'failed' }],
    })
    const told = (await mill.events()).filter((event) => (event.data as { execution_id?: string }).execution_id === running.execution_id)
    expect(told.map((event) => event.name)).toEqual(['workflows.execution.failed'])
  })

  test('whose node gives what cannot be stored fails, and its server goes on', async () => {
    work = () => Promise.resolve({ output: { grains: 2n ** 70n } as unknown as Json })
    const running = await start(chain(does('count')))
    expect(await running.finished).toMatchObject({ status: 'failed', error: { code: 'engine.record_refused' } })
    expect(await read(running)).toMatchObject({ status: 'failed', steps: [] })
  })

  test('whose node gives what never ends fails', async () => {
    const circle: { self?: object } = {}
    circle.self = circle
    work = () => Promise.resolve({ output: circle as Json })
    const running = await start(chain(does('circle')))
    expect(await running.finished).toMatchObject({ status: 'failed', error: { code: 'engine.execution_too_large' } })
  })

  test('does not show what an unforeseen error of a node says', async () => {
    work = () => Promise.reject(new Error('password=hunter2'))
    const running = await start(chain(does('leak')))
    expect(JSON.stringify(await running.finished)).not.toContain('hunter2')
  })

  test('answers with the reply of the first node that gives one, before it ends', async () => {
    const go = Promise.withResolvers<void>()
    work = async () => {
      await go.promise
      return { output: null }
    }
    const running = await start(chain({ id: 'answer', type: 'http.respond', config: { status: 201, body: { ok: true } } }, does('later')))
    expect(await running.replied).toMatchObject({ status: 201, body: { ok: true } })
    expect((await read(running)).status).toBe('running')
    go.resolve()
    await running.finished
  })
})

describe('an attempt', () => {
  test('that may be tried again is, under the same idempotency key, and leaves a trace each time', async () => {
    const keys: string[] = []
    work = (_, io) => {
      keys.push(io.idempotency_key)
      if (io.attempt < 3) return Promise.reject(new NodeFailure({ code: 'busy', message: 'Busy', retryable: true }))
      return Promise.resolve({ output: io.attempt })
    }
    const running = await start(chain(does('call', { retry: { max_attempts: 3, backoff: 'fixed', delay_ms: 5 } })))
    expect(await running.finished).toMatchObject({ status: 'succeeded', output: 3 })
    expect(new Set(keys)).toEqual(new Set([`${running.execution_id}:call`]))
    expect((await read(running)).steps.map((step) => [step.attempt, step.status])).toEqual([
      [1, 'retrying'],
      [2, 'retrying'],
      [3, 'succeeded'],
    ])
  })

  test('that takes too long fails, even if its node does not listen', async () => {
    work = () => new Promise(() => {})
    const running = await start(chain(does('sleepy', { timeout_ms: 20 })))
    expect(await running.finished).toMatchObject({ status: 'failed', error: { code: 'node.timeout', node_id: 'sleepy' } })
  })

  test('that fails can leave by the error port', async () => {
    work = ({ config }) =>
      config.name === 'try' ? Promise.reject(new NodeFailure({ code: 'no', message: 'No' })) : Promise.resolve({ output: 'caught' })
    const running = await start({
      nodes: [hook, does('try', { on_error: 'error' }), does('rescue')],
      edges: [
        { from: 'start', to: 'try' },
        { from: 'try', port: 'error', to: 'rescue' },
      ],
    })
    expect(await running.finished).toMatchObject({ status: 'succeeded', output: 'caught' })
  })
})

test('an execution over its time ends as timed out and its effect is aborted', async () => {
  const aborted = Promise.withResolvers<void>()
  work = (_, io) => {
    io.signal.addEventListener('abort', () => aborted.resolve())
    return new Promise(() => {})
  }
  const running = await start({ ...chain(does('slow')), settings: { timeout_ms: 50 } })
  expect(await running.finished).toMatchObject({ status: 'timed_out' })
  await aborted.promise
})

test('a cancelled execution ends at once and its effect is aborted, also from another process', async () => {
  const begun = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<void>()
  work = (_, io) => {
    begun.resolve()
    io.signal.addEventListener('abort', () => aborted.resolve())
    return new Promise(() => {})
  }
  const running = await start(chain(does('slow')))
  await begun.promise
  expect(await beside.app.use(engine).cancel(running.execution_id)).toBe(true)
  expect(await running.finished).toMatchObject({ status: 'cancelled' })
  await aborted.promise
  expect(await mill.app.use(engine).cancel(running.execution_id)).toBe(false)
})

test('starting a version that was never published is refused', async () => {
  await expect(startOf(mill.app.newId())).rejects.toMatchObject({ code: 'engine.unknown_version' })
})

test('a version is deployed once', async () => {
  const workflow_id = await deploy(chain(does('one')))
  const again = mill.app
    .asSystem('a test deploys', workspace_id)
    .tx((tx) => tx.use(engine).deploy(tx, { workflow_id, version: 1, definition: chain(does('two')) }))
  await expect(again).rejects.toMatchObject({ code: 'engine.version_exists' })
})

describe('a worker', () => {
  test('declared dead writes nothing more, and another goes on with what it held', async () => {
    const first = Promise.withResolvers<void>()
    const calls: number[] = []
    work = async (_, io) => {
      calls.push(io.attempt)
      // The one on the dead worker never comes back by itself.
      if (calls.length === 1) {
        first.resolve()
        await new Promise((resolve) => io.signal.addEventListener('abort', resolve))
        return { output: 'from the dead' }
      }
      return { output: 'from the living' }
    }
    const running = await start(chain(does('call')))
    await running.accepted
    await first.promise
    // As if the heart had stopped: the worker's row grows old while the process still believes it holds the lease.
    await mill.database.owner`
      update engine_workers
      set state = 'dead', epoch = epoch + 1
      where id = (select worker_id from executions where id = ${running.execution_id})`
    await mill.database.owner`
      update executions
      set worker_id = null, status = 'queued'
      where id = ${running.execution_id}`
    await expect.poll(async () => (await read(running)).status, { timeout: 10_000, interval: 50 }).toBe('succeeded')
    expect(await read(running)).toMatchObject({ output: 'from the living' })
    const endings = await mill.database.owner`
      select count(*)::int as times from execution_records
      where execution_id = ${running.execution_id} and body ->> 'ending' is not null`
    expect(endings[0]).toEqual({ times: 1 })
  })

  test('that goes silent is taken over within seconds', async () => {
    const dead = mill.app.newId()
    const workflow_id = await deploy(chain({ id: 'copy', type: 'data.set', config: { values: { n: '{{ trigger.n }}' } } }))
    const id = mill.app.newId()
    await mill.database.owner`
      insert into engine_workers (id, epoch, state, heartbeat_at)
      values (${dead}, 1, 'alive', now() - interval '1 minute')`
    await mill.database.owner`
      insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, worker_id, started_at)
      values (${id}, ${workspace_id}, ${workflow_id}, 1, 'live', 'running', 'trigger.manual', 'start', ${dead}, now())`
    await mill.database.owner`
      insert into execution_records (execution_id, seq, workspace_id, body)
      values (${id}, 0, ${workspace_id}, ${'{"at":1,"trigger":{"node_id":"start","payload":{"n":7}},"steps":[]}'}::text::json)`
    const look = () => readExecution(mill.app.asSystem('a test looks'), id, { payloads: false })
    await expect.poll(async () => (await look())?.status, { timeout: 10_000, interval: 50 }).toBe('succeeded')
    expect(await look()).toMatchObject({ output: { n: 7 } })
  })

  test('that is full leaves an execution queued, for itself when there is room again or for another', async () => {
    const small = await testApp({ modules: [...modules, effects], beside: mill, env: { MILLRACE_ENGINE_CAPACITY: '1' } })
    const workflow_id = await deploy(chain(does('call')))
    const hold = Promise.withResolvers<void>()
    work = async ({ config }) => {
      await hold.promise
      return { output: config.name }
    }
    const first = await startOf(workflow_id, {}, small)
    await first.accepted
    const second = await startOf(workflow_id, {}, small)
    await second.accepted
    expect(['queued', 'running']).toContain((await read(second)).status)
    hold.resolve()
    expect((await first.finished).status).toBe('succeeded')
    await expect.poll(async () => (await read(second)).status, { timeout: 10_000, interval: 50 }).toBe('succeeded')
    await small.close()
  })
})
