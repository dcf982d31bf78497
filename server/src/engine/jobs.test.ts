import { Type } from 'typebox'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { modules } from '../modules.ts'
import type { Ctx } from '../platform/context.ts'
import { defineConsumer } from '../platform/events/consumer.ts'
import { defineEvent } from '../platform/events/event.ts'
import { defineModule } from '../platform/module.ts'
import { testApp, type TestApp } from '../test-app.ts'
import { engine } from './engine.ts'
import { idOfJob } from './job-types.ts'
import { defineJob, type JobRun, later } from './job.ts'
import { jobs, jobState } from './jobs.ts'
import { NodeFailure } from './node.ts'

type Input = { sacks: number }
let work: (ctx: Ctx, run: JobRun<Input>) => Promise<string | number>
let recurred: (ctx: Ctx, run: JobRun<Input>) => Promise<null>
beforeEach(() => {
  work = () => Promise.resolve('done')
  recurred = () => Promise.resolve(null)
})

const day_ms = 86_400_000
const grind = defineJob({
  name: 'mill.grind',
  doc: 'Grinds.',
  input: Type.Object({ sacks: Type.Integer() }),
  retry: { max_attempts: 3, backoff: 'fixed', delay_ms: 5 },
  run: (ctx, run) => work(ctx, run),
})
const sweep = defineJob({
  name: 'mill.sweep',
  doc: 'Sweeps.',
  input: Type.Object({ sacks: Type.Integer() }),
  recurring: { every_ms: day_ms, input: { sacks: 0 } },
  run: (ctx, run) => recurred(ctx, run),
})
const delivered = defineEvent({ name: 'mill.delivered', doc: 'Grain was delivered.', data: Type.Object({ sacks: Type.Integer() }) })
const mills = defineModule({
  name: 'mill',
  events: [delivered],
  jobs: [grind, sweep],
  consumers: [
    defineConsumer({
      name: 'mill.grind_deliveries',
      delivery: 'durable',
      events: ['mill.delivered'],
      handle: async (app, events) => {
        for (const { workspace_id, data } of events) await app.use(jobs).start({ job: grind, workspace_id, input: data as Input })
      },
    }),
  ],
})

let ahead_ms = 0
/** Runs, and can be put forward. */
const clock = { now: () => Date.now() + ahead_ms, advance: (ms: number) => void (ahead_ms += ms) }
const mill = await testApp({ modules: [...modules, mills], clock })
const user = await mill.register('anna')
const { workspace_id } = user
afterAll(mill.close)

const startOn = ({ app }: TestApp, sacks = 3) => app.use(jobs).start({ job: grind, workspace_id, input: { sacks } })
const stateOf = (id: string) => jobState(mill.app.asSystem('a test looks'), grind, id)
const statusOf = async (id: string) => (await stateOf(id))?.status
const patient = { timeout: 10_000, interval: 50 }
const rowOf = async (id: string) => (await mill.database.owner`select * from executions where id = ${id}`)[0]
/** So long that a server has looked at least once whether there is anything to do. */
const twoBeats = async ({ app, database }: TestApp): Promise<void> => {
  const beat = async () =>
    (await database.owner`select heartbeat_at from engine_workers where id = ${app.instance_id}`)[0]?.['heartbeat_at']
  for (let beats = 0; beats < 2; beats++) {
    const before = await beat()
    await expect.poll(beat, patient).not.toEqual(before)
  }
}
/** Another server on the same database, which knows the jobs or (an older one) does not. */
const beside = (knowing = true) =>
  testApp({ modules: knowing ? [...modules, mills] : modules, beside: mill, clock, env: { MILLRACE_ENGINE_TAKEOVER_MS: '1000' } })

test('a job is run as the system, in the workspace it was started for, and its answer is kept', async () => {
  const seen = Promise.withResolvers<unknown>()
  work = (ctx, { input, execution_id, attempt, signal }) => {
    seen.resolve({ actor: ctx.actor, workspace_id: ctx.workspace_id, request_id: ctx.request_id, input, execution_id, attempt })
    expect(signal.aborted).toBe(false)
    return Promise.resolve('flour')
  }
  const { execution_id } = await startOn(mill)
  expect(await seen.promise).toEqual({
    actor: { type: 'system', reason: 'the job mill.grind' },
    workspace_id,
    request_id: execution_id,
    input: { sacks: 3 },
    execution_id,
    attempt: 1,
  })
  await expect.poll(() => stateOf(execution_id)).toMatchObject({ status: 'succeeded', output: 'flour', error: null })
})

test('a job of the installation has no workspace', async () => {
  const seen = Promise.withResolvers<string | null>()
  work = (ctx) => {
    seen.resolve(ctx.workspace_id)
    return Promise.resolve('flour')
  }
  await mill.app.use(jobs).start({ job: grind, workspace_id: null, input: { sacks: 1 } })
  expect(await seen.promise).toBe(null)
})

test('a job that fails is tried again, and told of once when it is given up', async () => {
  const attempts: number[] = []
  work = (_, { attempt }) => {
    attempts.push(attempt)
    return Promise.reject(new Error('canary-5b1e'))
  }
  const { execution_id } = await startOn(mill)
  await expect.poll(() => stateOf(execution_id), patient).toMatchObject({ status: 'failed', error: { code: 'job.failed' } })
  expect(attempts).toEqual([1, 2, 3])
  const told = (await mill.events()).filter(({ data }) => (data as { execution_id?: string }).execution_id === execution_id)
  expect(told).toMatchObject([
    { name: 'engine.job.failed', workspace_id, data: { execution_id, job: 'mill.grind', status: 'failed', code: 'job.failed' } },
  ])
  const records = await mill.database.owner`select body::text from execution_records where execution_id = ${execution_id}`
  expect(JSON.stringify([records, told])).not.toContain('canary')
})

test('a failure that trying again cannot help ends the job at once', async () => {
  let attempts = 0
  work = () => {
    attempts += 1
    return Promise.reject(new NodeFailure({ code: 'mill.no_grain', message: 'There is no grain' }))
  }
  const { execution_id } = await startOn(mill)
  await expect.poll(() => stateOf(execution_id), patient).toMatchObject({ status: 'failed', error: { code: 'mill.no_grain' } })
  expect(attempts).toBe(1)
})

test('a job that succeeds leaves no event of its own', async () => {
  const { execution_id } = await startOn(mill)
  await expect.poll(() => statusOf(execution_id)).toBe('succeeded')
  expect((await mill.events()).filter(({ data }) => (data as { execution_id?: string }).execution_id === execution_id)).toEqual([])
})

test('input that does not fit is refused, when a job is started and when one of another release is taken up', async () => {
  await expect(mill.app.use(jobs).start({ job: grind, workspace_id, input: { sacks: 'many' } as never })).rejects.toThrow('no input')
  const running = await mill.app.use(engine).start({
    ...{ workspace_id, workflow_id: idOfJob('mill.grind'), version: 1, mode: 'job', trigger_node_id: 'start' },
    payload: { sacks: 'many' },
  })
  expect(await running.finished).toMatchObject({ status: 'failed', error: { code: 'job.input_invalid' } })
})

test('jobs are not what users see: neither in lists nor by id, nor among the node types', async () => {
  const { execution_id } = await startOn(mill)
  await expect.poll(() => statusOf(execution_id)).toBe('succeeded')
  const list = await user.call('GET', '/api/v1/workflows/executions?total=true')
  expect(list).toMatchObject({ status: 200, body: { items: [], total: 0 } })
  expect(await user.call('GET', `/api/v1/workflows/executions/${execution_id}`)).toMatchObject({ status: 404 })
  expect(await user.call('POST', `/api/v1/workflows/executions/${execution_id}/cancel`)).toMatchObject({ status: 404 })
  const types = await user.call('GET', '/api/v1/workflows/node-types?limit=200')
  expect(JSON.stringify(types.body)).not.toContain('mill.grind')
  const definition = {
    nodes: [
      { id: 'start', type: 'trigger.manual' },
      { id: 'run', type: 'job.mill.grind' },
    ],
    edges: [{ from: 'start', to: 'run' }],
  }
  const made = await user.call('POST', '/api/v1/workflows', { body: { name: 'Sneaky', definition } })
  expect(made.status).toBe(201)
  const published = await user.call('POST', `/api/v1/workflows/${made.body.id}/publish`, {
    headers: { 'if-match': made.headers.get('etag') ?? '' },
  })
  expect(published.status).toBe(422)
})

test('the state of a job is told to its workspace and to no other', async () => {
  const { execution_id } = await startOn(mill)
  await expect.poll(() => statusOf(execution_id)).toBe('succeeded')
  const as = (workspace: string) => mill.app.context({ actor: { type: 'anonymous' }, workspace_id: workspace, request_id: 'test' })
  expect(await jobState(as(workspace_id), grind, execution_id)).toMatchObject({ status: 'succeeded', output: 'done' })
  expect(await jobState(as(mill.app.newId()), grind, execution_id)).toBe(undefined)
  expect(await jobState(as(workspace_id), sweep, execution_id)).toBe(undefined)
})

test('a job started by a durable consumer runs if and only if the event was committed', async () => {
  const ran = Promise.withResolvers<number>()
  work = (_, { input }) => {
    ran.resolve(input.sacks)
    return Promise.resolve('flour')
  }
  const ctx = mill.app.asSystem('a test delivers', workspace_id)
  const undone = ctx.tx((tx) => {
    tx.emit(delivered, { sacks: 1 })
    return Promise.reject(new Error('undone'))
  })
  await expect(undone).rejects.toThrow('undone')
  await ctx.tx((tx) => Promise.resolve(tx.emit(delivered, { sacks: 2 })))
  expect(await ran.promise).toBe(2)
})

test('a job that is to run again in a month holds nothing meanwhile, survives a restart, and runs when its time has come', async () => {
  const first = await beside()
  const due = clock.now() + 30 * day_ms
  const attempts: number[] = []
  work = (ctx, { attempt }) => {
    attempts.push(attempt)
    return ctx.now() < due ? Promise.reject(later(due - ctx.now())) : Promise.resolve('purged')
  }
  const { execution_id } = await startOn(first)
  await expect.poll(() => rowOf(execution_id)).toMatchObject({ status: 'waiting', worker_id: null })
  // What it asked for is counted from when the engine hears of it, a moment later.
  const late_ms = Date.parse(String((await rowOf(execution_id))?.['wake_at'])) - due
  expect(late_ms).toBeGreaterThanOrEqual(0)
  expect(late_ms).toBeLessThan(10_000)
  await first.close()
  clock.advance(29 * day_ms)
  const second = await beside()
  await twoBeats(second)
  expect(await rowOf(execution_id)).toMatchObject({ status: 'waiting', worker_id: null })
  expect(attempts).toEqual([1])
  clock.advance(day_ms)
  await expect.poll(() => stateOf(execution_id), patient).toMatchObject({ status: 'succeeded', output: 'purged' })
  expect(attempts).toEqual([1, 2])
  await second.close()
})

test('asking for another turn is no failure: it uses up no attempt', async () => {
  let turns = 0
  work = () => {
    turns += 1
    if (turns <= 6) return Promise.reject(later(1))
    return turns <= 8 ? Promise.reject(new Error('not yet')) : Promise.resolve('flour')
  }
  const { execution_id } = await startOn(mill)
  await expect.poll(() => stateOf(execution_id), patient).toMatchObject({ status: 'succeeded', output: 'flour' })
  expect(turns).toBe(9)
})

test('a job that sleeps can be ended', async () => {
  work = () => Promise.reject(later(day_ms))
  const { execution_id } = await startOn(mill)
  await expect.poll(() => statusOf(execution_id)).toBe('waiting')
  expect(await mill.app.use(engine).cancel(execution_id)).toBe(true)
  await expect.poll(() => statusOf(execution_id), patient).toBe('cancelled')
})

test('a job whose process is gone in the middle of it goes on in another', async () => {
  const dying = await beside()
  const begun = Promise.withResolvers<void>()
  const runs: string[] = []
  work = async (ctx, { execution_id, signal }) => {
    runs.push(execution_id)
    if (ctx.instance_id === dying.app.instance_id) {
      begun.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      throw new Error('cut off')
    }
    return 'flour'
  }
  const { execution_id } = await startOn(dying)
  await begun.promise
  await dying.close()
  await expect.poll(() => stateOf(execution_id), patient).toMatchObject({ status: 'succeeded', output: 'flour' })
  expect(runs).toEqual([execution_id, execution_id])
})

test('a server that does not know a job leaves it to one that does', async () => {
  const older = await testApp({ modules, clock })
  const { owner } = older.database
  const id = older.app.newId()
  const body = JSON.stringify({ at: clock.now(), trigger: { node_id: 'start', payload: { sacks: 1 } }, steps: [] })
  await owner`
    insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, started_at)
    values (${id}, ${workspace_id}, ${idOfJob('mill.grind')}, 1, 'job', 'queued', 'trigger.manual', 'start', now())`
  await owner`
    insert into execution_records (execution_id, seq, workspace_id, body)
    values (${id}, 0, ${workspace_id}, ${body}::text::json)`
  const status = async () => (await owner`select status from executions where id = ${id}`)[0]?.['status']
  await twoBeats(older)
  expect(await status()).toBe('queued')
  const newer = await testApp({ modules: [...modules, mills], beside: older, clock })
  await expect.poll(status, patient).toBe('succeeded')
  await newer.close()
  await older.close()
})

test('a job that recurs is started when it is due, by one of the servers, and for the next time after that', async () => {
  const other = await beside()
  let runs = 0
  const ran = Promise.withResolvers<string | null>()
  recurred = (ctx) => {
    runs += 1
    ran.resolve(ctx.workspace_id)
    return Promise.resolve(null)
  }
  expect(runs).toBe(0)
  clock.advance(day_ms)
  expect(await ran.promise).toBe(null)
  const next = async () => (await mill.database.owner`select next_at from engine_schedules where job = 'mill.sweep'`)[0]?.['next_at']
  await expect.poll(async () => Date.parse(await next()), patient).toBeGreaterThan(clock.now() + day_ms - 10_000)
  const all = await mill.database.owner`
    select status from executions where workflow_id = ${idOfJob('mill.sweep')} and started_at >= ${new Date(clock.now() - 30_000).toISOString()}`
  expect(all).toHaveLength(1)
  await other.close()
})
