import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { derivedId } from '../../lib/derived-id.ts'
import { firstId } from '../../lib/id.ts'
import { modules } from '../../modules.ts'
import { manual, publish, webhookDefinition } from '../../modules/workflows/definitions.testing.ts'
import { forgetApprovals } from '../../modules/workflows/history/forget-approvals.ts'
import { fillHistory } from '../../modules/workflows/history/fill.testing.ts'
import { testApp, type TestApp, type TestUser } from '../../test-app.ts'
import { engine } from '../engine.ts'
import { readRules } from './rules.ts'
import { trimHistory } from './trim-history.ts'
import { listWeeks, type Week } from './weeks.ts'

const day_ms = 86_400_000
const env = { MILLRACE_DEFAULT_PLAN: 'enterprise' }
let ahead_ms = 0
/** Runs, and can be put forward. */
const clock = { now: () => Date.now() + ahead_ms }

let mill: TestApp
let anna: TestUser
let own: (path: string, body?: object) => Promise<string>
/** Four weeks that were made when they came. */
let weeks: readonly Week[]
const now = Date.now()
let days_ago = 180

const system = (app = mill.app) => app.asSystem('a test')
const timeOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
const startOf = (week: number): number => timeOf(weeks[week]?.lower as string)

beforeAll(async () => {
  mill = await testApp({ env, clock })
  anna = await mill.register('anna')
  // What is counted here is what the tests remove themselves.
  await mill.database.owner`update engine_schedules set next_at = '2200-01-01'`
  own = (path) => publish(anna, webhookDefinition(path))
})
afterAll(() => mill.close())
beforeEach(async () => {
  // Others for each test: what is kept of a week that is dropped stays in its place.
  days_ago += 42
  const ago = now - days_ago * day_ms
  const [made] = await mill.database.owner`select millrace.make_partitions(${new Date(ago).toISOString()}, 4) as n`
  expect(made?.['n']).toBe(3 * 4)
  weeks = (await listWeeks(system())).filter(({ lower }) => timeOf(lower) > ago - 7 * day_ms).slice(0, 4)
  expect(startOf(3)).toBeLessThan(ago + 28 * day_ms)
})

const fill = (workflow_id: string, week: number, more: object = {}, count = 1_000): Promise<void> =>
  fillHistory(mill.database.owner, {
    ...{ workflow_id, workspace_id: anna.workspace_id, count, from: startOf(week), to: startOf(week) + 7 * day_ms, failed_each: 10 },
    ...more,
  })
const counted = async (workflow_id: string): Promise<number> => {
  const [row] = await mill.database.owner<{ n: number }[]>`select count(*)::int as n from executions where workflow_id = ${workflow_id}`
  return row?.n ?? 0
}
const bytesKept = async (): Promise<number> => {
  const [row] = await mill.database.owner<{ n: number }[]>`
    select sum(pg_total_relation_size(c.oid))::int8 as n
    from pg_class as c
    where c.relkind = 'r' and c.relname ~ '^(retired_)?(executions|execution_records)_'`
  return row?.n ?? 0
}
const tablesOf = async (week: Week | undefined): Promise<number> => {
  const names = week?.tables.flatMap((name) => [name, `retired_${name}`]) ?? []
  const rows = await mill.database.owner`select from pg_class where relname = any(${names})`
  return rows.length
}

const sleeper = { nodes: [manual, { id: 'wait', type: 'flow.wait', config: { webhook: true } }], edges: [{ from: 'start', to: 'wait' }] }
/** An execution that began in that week and waits to be called. */
const sleepsSince = async (week: number): Promise<string> => {
  const workflow_id = await publish(anna, sleeper)
  const execution_id = derivedId(firstId(startOf(week) + day_ms), workflow_id)
  const start = {
    workspace_id: anna.workspace_id,
    workflow_id,
    version: 1,
    mode: 'live',
    trigger_node_id: 'start',
    payload: { n: 7 },
  } as const
  const running = await mill.app.use(engine).start({ ...start, execution_id })
  await running.accepted
  await vi.waitFor(async () => {
    const [row] = await mill.database
      .owner`select from executions where id = ${execution_id} and status = 'waiting' and wake_at is not null`
    expect(row).toBeDefined()
  })
  return execution_id
}

test('a week of which nothing is left to keep is dropped, and the disk has its room again', async () => {
  const workflow_id = await own('dropped')
  await fill(workflow_id, 0, {}, 20_000)
  await fill(workflow_id, 1)
  const recent = await fillHistory(mill.database.owner, {
    ...{ workflow_id, workspace_id: anna.workspace_id, count: 100, from: now - 10 * day_ms, to: now - 9 * day_ms },
  })
  expect(recent).toBeUndefined()
  const before = await bytesKept()
  const trimmed = await trimHistory(system())
  expect(trimmed).toMatchObject({ executions: 21_000, weeks: 4 })
  expect(trimmed.bytes).toBeGreaterThan(5_000_000)
  expect(before - (await bytesKept())).toBeGreaterThanOrEqual(trimmed.bytes)
  expect(await Promise.all(weeks.map(tablesOf))).toEqual([0, 0, 0, 0])
  expect(await counted(workflow_id)).toBe(100)
  expect((await mill.events()).at(-1)).toMatchObject({ name: 'engine.history.trimmed', data: trimmed })
  expect(await mill.app.metrics.registry.metrics()).toContain('millrace_history_removed_executions_total 21000')
  expect(await trimHistory(system())).toEqual({ executions: 0, weeks: 0, bytes: 0 })
  expect((await mill.events()).filter(({ name }) => name === 'engine.history.trimmed')).toHaveLength(1)
})

test('what has slept since a week that is dropped is moved out of it, and goes on when it is called', async () => {
  const workflow_id = await own('around-a-sleeper')
  await fill(workflow_id, 0)
  const asleep = await sleepsSince(0)
  expect(await trimHistory(system())).toMatchObject({ executions: 1_000, weeks: 4 })
  expect(await tablesOf(weeks[0])).toBe(0)
  const path = `/api/v1/workflows/executions/${asleep}`
  expect((await anna.call('GET', path)).body).toMatchObject({ status: 'waiting', input: { n: 7 } })
  expect(await mill.app.use(engine).resume({ execution_id: asleep, node_id: null, output: { called: true } })).toEqual({ node_id: 'wait' })
  await expect.poll(async () => (await anna.call('GET', path)).body).toMatchObject({ status: 'succeeded', output: { called: true } })
  // It has ended today, so it stays for as long as others do.
  expect(await trimHistory(system())).toMatchObject({ executions: 0 })
  ahead_ms = 91 * day_ms
  try {
    const { rows } = await trimHistory(system()).then(async () => ({
      rows: await mill.database.owner`select from executions where id = ${asleep}`,
    }))
    expect(rows).toHaveLength(0)
    expect(await mill.database.owner`select from engine_waits where execution_id = ${asleep}`).toHaveLength(0)
    expect(await mill.database.owner`select from execution_records where execution_id = ${asleep}`).toHaveLength(0)
  } finally {
    ahead_ms = 0
  }
})

test('what an unfinished execution has called is kept for it, however long ago it has ended', async () => {
  const parent = await sleepsSince(0)
  const callee = await own('callee')
  await fill(callee, 0, {}, 2)
  const [child, other] = await mill.database.owner<{ id: string }[]>`select id from executions where workflow_id = ${callee} order by id`
  await mill.database.owner`
    insert into engine_calls (execution_id, workspace_id, parent_execution_id, path, hops, waits)
    values (${child?.id as string}, ${anna.workspace_id}, ${parent}, 'call', 1, true)`
  await trimHistory(system())
  const left = await mill.database.owner<{ id: string }[]>`select id from executions where workflow_id = ${callee}`
  expect(left.map(({ id }) => id)).toEqual([child?.id])
  expect(
    await mill.database.owner`select from execution_records where execution_id in (${child?.id as string}, ${other?.id as string})`,
  ).toHaveLength(1)
  await mill.app.use(engine).cancel(parent)
  await expect.poll(async () => (await anna.call('GET', `/api/v1/workflows/executions/${parent}`)).body.status).toBe('cancelled')
  await trimHistory(system())
  expect(await counted(callee)).toBe(0)
  expect(await mill.database.owner`select from engine_calls where parent_execution_id = ${parent}`).toHaveLength(0)
})

test('a workflow that keeps its executions for less than others loses them alone, and so do trial runs', async () => {
  const definition = webhookDefinition('short')
  const short = await publish(anna, { ...definition, settings: { retention_days: 3 } })
  const usual = await own('usual')
  const span = { from: now - 20 * day_ms, to: now - 19 * day_ms }
  await fill(short, 0, span, 1_200)
  await fill(short, 0, { from: now - 2 * day_ms, to: now - day_ms }, 50)
  await fill(usual, 0, span, 300)
  await fill(usual, 0, { ...span, mode: 'test' }, 700)
  expect((await readRules(system())).own.get(short)).toBe(3)
  const trimmed = await trimHistory(system())
  expect(trimmed.executions).toBe(1_900)
  expect([await counted(short), await counted(usual)]).toEqual([50, 300])
  const [left] = await mill.database.owner`
    select count(*)::int as records from execution_records as r
    where r.execution_id in (select id from executions where workflow_id in (${short}, ${usual}))`
  expect(left).toEqual({ records: 350 })
  // What was published last counts.
  await anna.call('PUT', `/api/v1/workflows/${short}`, { body: { definition }, headers: { 'if-match': '*' } })
  expect((await anna.call('POST', `/api/v1/workflows/${short}/publish`)).status).toBe(201)
  expect((await readRules(system())).own.has(short)).toBe(false)
})

test('a workflow that keeps its executions for longer keeps them in weeks that are not dropped', async () => {
  const long = await publish(anna, { ...webhookDefinition('long'), settings: { retention_days: 3_650 } })
  const usual = await own('beside-long')
  await fill(long, 0, {}, 2_500)
  await fill(usual, 0)
  await fill(usual, 1)
  expect(await trimHistory(system())).toMatchObject({ executions: 2_000, weeks: 3 })
  expect([await counted(long), await counted(usual), await tablesOf(weeks[0])]).toEqual([2_500, 0, 2])
  // Few of them are moved out of the way.
  await mill.database
    .owner`delete from executions where workflow_id = ${long} and id > (select id from executions where workflow_id = ${long} order by id offset 9 limit 1)`
  expect(await trimHistory(system())).toMatchObject({ weeks: 1 })
  expect([await counted(long), await tablesOf(weeks[0])]).toEqual([10, 0])
})

test('for ever means for ever', async () => {
  const beside = await testApp({
    ...{ beside: mill, clock, modules },
    env: { ...env, MILLRACE_RETENTION_DAYS: '0', MILLRACE_TEST_RETENTION_DAYS: '0', MILLRACE_JOB_RETENTION_DAYS: '0' },
  })
  try {
    const workflow_id = await own('for-ever')
    await fill(workflow_id, 0)
    expect(await trimHistory(system(beside.app))).toEqual({ executions: 0, weeks: 0, bytes: 0 })
    expect(await counted(workflow_id)).toBe(1_000)
  } finally {
    await beside.close()
  }
  expect(await trimHistory(system())).toMatchObject({ executions: 1_000 })
})

test('a process that dies between taking a week out and dropping it loses nothing: the next one puts back what was missed', async () => {
  const workflow_id = await own('half-way')
  await fill(workflow_id, 0)
  // It ended today; the one who took the week out did not know of it.
  await mill.database.owner`
    update executions set finished_at = now()
    where id = (select id from executions where workflow_id = ${workflow_id} order by id limit 1)`
  await mill.app.database.system.begin(async (tx) => {
    await tx`lock table only executions, only execution_records in access exclusive mode`
    for (const table of weeks[0]?.tables ?? []) await tx`select millrace.retire_partition(${table})`
  })
  expect(await counted(workflow_id)).toBe(0)
  expect((await trimHistory(system())).executions).toBe(999)
  expect(await counted(workflow_id)).toBe(1)
  expect(
    await mill.database
      .owner`select from execution_records where execution_id in (select id from executions where workflow_id = ${workflow_id})`,
  ).toHaveLength(1)
  expect(await tablesOf(weeks[0])).toBe(0)
})

test('several processes may do it at once while webhooks are answered, none of which waits for long or is lost', async () => {
  const beside = await testApp({ beside: mill, clock, env })
  try {
    const workflow_id = await own('under-load')
    for (const week of [0, 1, 2, 3]) await fill(workflow_id, week)
    const asleep = await Promise.all([sleepsSince(0), sleepsSince(1), sleepsSince(2)])
    let going = true
    let answered = 0
    let longest_ms = 0
    const call = async (at: TestApp): Promise<void> => {
      while (going) {
        const since = performance.now()
        const { status } = await at.call('POST', '/hooks/anna/under-load', { body: { n: 1 } })
        expect(status).toBe(200)
        longest_ms = Math.max(longest_ms, performance.now() - since)
        answered += 1
      }
    }
    const load = [mill, mill, beside, beside].map(call)
    const both = await Promise.all([trimHistory(system()), trimHistory(system(beside.app))]).finally(() => (going = false))
    await Promise.all(load)
    expect(both[0].executions + both[1].executions).toBe(4_000)
    expect(both[0].weeks + both[1].weeks).toBe(4)
    expect(await Promise.all(weeks.map(tablesOf))).toEqual([0, 0, 0, 0])
    expect(await counted(workflow_id)).toBe(answered)
    expect(longest_ms).toBeLessThan(3_000)
    const left = await mill.database.owner`select from executions where id = any(${asleep}) and status = 'waiting'`
    expect(left).toHaveLength(3)
  } finally {
    await beside.close()
  }
})

test('whoever reads all the time is not disturbed: the week is dropped another time', async () => {
  const workflow_id = await own('being-read')
  await fill(workflow_id, 0)
  const signal = AbortSignal.timeout(1_500)
  const reading = Promise.withResolvers<void>()
  const reader = mill.database.owner.begin(async (tx) => {
    await tx`select count(*) from executions`
    await reading.promise
  })
  const ctx = mill.app.context({ actor: { type: 'system', reason: 'a test' }, workspace_id: null, request_id: 'test', signal })
  await expect(trimHistory(ctx)).rejects.toThrow()
  expect(await counted(workflow_id)).toBe(1_000)
  reading.resolve()
  await reader
  expect(await trimHistory(system())).toMatchObject({ executions: 1_000 })
})

test('approvals and keys go with the executions that they belong to', async () => {
  const workflow_id = await own('with-others')
  await fill(workflow_id, 0, {}, 3)
  const recent = await own('with-others-today')
  await fill(recent, 0, { from: now - 2 * day_ms, to: now - day_ms }, 1)
  const rows = await mill.database.owner<
    { id: string }[]
  >`select id from executions where workflow_id in (${workflow_id}, ${recent}) order by id`
  const expires_at = new Date(now + 30 * day_ms).toISOString()
  for (const [number, { id }] of rows.entries()) {
    await mill.database.owner`
      insert into engine_starts (workflow_id, key, workspace_id, execution_id, expires_at)
      values (${workflow_id}, ${`key-${number}`}, ${anna.workspace_id}, ${id}, ${expires_at})`
    await mill.database.owner`
      insert into workflow_approvals (id, workspace_id, workflow_id, execution_id, path, node_id, message, approvers, needed, created_at)
      values (${mill.app.newId()}, ${anna.workspace_id}, ${workflow_id}, ${id}, 'ask', 'ask', 'Go on?', ${[anna.id]}, 1, now())`
  }
  await trimHistory(system())
  await forgetApprovals.run(system(), { input: {}, execution_id: mill.app.newId(), attempt: 1, signal: AbortSignal.timeout(10_000) })
  for (const table of ['engine_starts', 'workflow_approvals'])
    expect(
      await mill.database.owner`select execution_id as id from ${mill.database.owner(table)} where workflow_id = ${workflow_id}`,
    ).toEqual([rows.at(-1)])
})

test('a request takes no week out, and nobody another table', async () => {
  await expect(
    mill.database.owner.begin(async (tx) => {
      await tx`set local role millrace_app`
      await tx`select millrace.retire_partition(${weeks[0]?.tables[0] as string})`
    }),
  ).rejects.toThrow(/permission denied/)
  for (const table of ['executions_default', 'executions', 'users', 'events_default', 'nothing', 'users; drop table users']) {
    const [row] = await mill.app.database
      .system`select millrace.retire_partition(${table}) as retired, millrace.drop_retired(${table}) as dropped`
    expect(row).toEqual({ retired: false, dropped: false })
  }
})
