import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { modules } from '../../../modules.ts'
import { manualClock } from '../../../platform/clock.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { checkFor } from '../../plans/plans.ts'
import { givePlan, usageOf } from '../../plans/plans.testing.ts'
import { create, publish } from '../definitions.testing.ts'
import { scheduleClock } from './schedules.ts'

const minute = 60_000
const interval = 20 * minute
const clock = manualClock(Date.UTC(2026, 10, 20, 10, 0, 30))
/** Hours go by here. */
const env = { MILLRACE_ACCESS_TOKEN_SECONDS: '86400' }
let mill: TestApp
let beside: TestApp
let user: TestUser
beforeAll(async () => {
  mill = await testApp({ modules, clock, env })
  beside = await testApp({ modules, clock, env, beside: mill })
  user = await mill.register()
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

const definition = (config: object, settings: object = {}) => ({
  nodes: [
    { id: 'tick', type: 'trigger.schedule', config },
    { id: 'set', type: 'data.set', config: { values: { at: '{{ trigger.scheduled_at }}' } } },
  ],
  edges: [{ from: 'tick', to: 'set' }],
  settings,
})

const executionsOf = async (workflow_id: string) => {
  const { body } = await user.call('GET', `/api/v1/workflows/${workflow_id}/executions?order=asc&limit=100`)
  return body.items as { id: string; status: string; trigger: { type: string; node_id: string } }[]
}
/** What the executions of a workflow were for, once all have ended. */
const firedFor = async (workflow_id: string): Promise<readonly string[]> => {
  await vi.waitFor(async () => {
    for (const { status } of await executionsOf(workflow_id)) expect(status).toBe('succeeded')
  })
  const all = (await executionsOf(workflow_id)).map(({ id }) => user.call('GET', `/api/v1/workflows/executions/${id}`))
  return (await Promise.all(all)).map(({ body }) => body.input.scheduled_at as string).toSorted()
}
const next = async (workflow_id: string) =>
  (await user.call('GET', `/api/v1/workflows/${workflow_id}`)).body.triggers[0].next_run_at as string | null
const act = async (workflow_id: string, verb: string) => {
  const { status, body } = await user.call('POST', `/api/v1/workflows/${workflow_id}/${verb}`)
  expect(status, JSON.stringify(body)).toBeLessThan(300)
}
const fire = () => Promise.all([mill, beside].map(({ app }) => app.use(scheduleClock).fire()))
/** What was due is fired when this resolves, be it by a process that looked by itself meanwhile. */
const fired = async () => {
  await fire()
  const now = new Date(clock.now()).toISOString()
  await vi.waitFor(async () =>
    expect(await mill.database.owner`select node_id from workflow_schedules where next_at <= ${now}`).toEqual([]),
  )
}
const advance = async (ms: number) => {
  clock.advance(ms)
  await fired()
}
const at = (ms: number) => new Date(clock.now() + ms).toISOString()
const away = async (ms: number) => advance(ms)

describe('a schedule', () => {
  test('fires at its times, each once with two processes that both look, and says when next', async () => {
    const id = await publish(user, definition({ cron: '* * * * *' }))
    expect(await next(id)).toBe('2026-11-20T10:01:00.000Z')
    const expected: string[] = []
    for (let time = 1; time <= 5; time += 1) {
      expected.push((await next(id)) as string)
      await advance(minute)
    }
    expect(await firedFor(id)).toEqual(expected)
    expect(new Set(expected).size).toBe(5)
    const [first] = await executionsOf(id)
    expect(first).toMatchObject({ trigger: { type: 'trigger.schedule', node_id: 'tick' } })
    await act(id, 'archive')
  })

  test('by an interval goes on from where it stood, however late the server looks', async () => {
    const id = await publish(user, definition({ every_ms: 10_000 }))
    const begun = clock.now()
    await advance(13_000)
    await advance(8_000)
    expect(await firedFor(id)).toEqual([new Date(begun + 10_000).toISOString(), new Date(begun + 20_000).toISOString()])
    expect(await next(id)).toBe(new Date(begun + 30_000).toISOString())
    await act(id, 'archive')
  })

  test('goes by the zone of the workflow, or by its own', async () => {
    const settings = { timezone: 'Europe/Vienna' }
    const workflow = await publish(user, definition({ cron: '0 9 * * *' }, settings))
    const own = await publish(user, definition({ cron: '0 9 * * *', timezone: 'Asia/Tokyo' }, settings))
    const utc = await publish(user, definition({ cron: '0 9 * * *' }))
    expect((await Promise.all([workflow, own, utc].map(next))).map((time) => time?.slice(11, 16))).toEqual(['08:00', '00:00', '09:00'])
    for (const id of [workflow, own, utc]) await act(id, 'archive')
  })

  test('shows its next time in lists, and none while it is paused; it goes on from when it is resumed', async () => {
    const id = await publish(user, definition({ every_ms: 60_000 }))
    await act(id, 'pause')
    expect(await next(id)).toBeNull()
    await advance(10 * minute)
    expect(await firedFor(id)).toEqual([])
    await act(id, 'resume')
    const { body } = await user.call('GET', '/api/v1/workflows')
    const line = (body.items as { id: string; triggers: unknown[] }[]).find((workflow) => workflow.id === id)
    expect(line?.triggers).toEqual([{ node_id: 'tick', type: 'trigger.schedule', next_run_at: at(minute) }])
    await act(id, 'archive')
    expect(await next(id)).toBeNull()
  })

  test('does what it says about the times that it missed while its workflow was paused', async () => {
    const [skip, once, all] = await Promise.all(
      ['skip', 'once', 'all'].map((missed) => publish(user, definition({ every_ms: interval, missed }))),
    )
    const ids = [skip, once, all] as string[]
    for (const id of ids) await act(id, 'pause')
    await advance(3 * interval + minute)
    for (const id of ids) expect([await next(id), await firedFor(id)]).toEqual([null, []])
    for (const id of ids) await act(id, 'resume')
    await fired()
    const times = [1, 2, 3].map((time) => at((time - 3) * interval - minute))
    expect(await Promise.all(ids.map(firedFor))).toEqual([[], times.slice(-1), times])
    expect(await Promise.all(ids.map(next))).toEqual([at(interval), at(interval - minute), at(interval - minute)])
    for (const id of ids) await act(id, 'archive')
  })

  test('is replaced by that of the next version; one that stays the same is not put off by it', async () => {
    const id = await publish(user, definition({ every_ms: 60_000 }))
    const due = await next(id)
    clock.advance(40_000)
    await act(id, 'publish')
    expect(await next(id)).toBe(due)
    const { headers } = await user.call('GET', `/api/v1/workflows/${id}`)
    const changed = { definition: definition({ every_ms: 120_000 }) }
    await user.call('PUT', `/api/v1/workflows/${id}`, { body: changed, headers: { 'if-match': headers.get('etag') as string } })
    await act(id, 'publish')
    expect(await next(id)).toBe(at(120_000))
    await advance(120_000)
    const [only] = await executionsOf(id)
    expect(only).toMatchObject({ version: 3 })
    await user.call('DELETE', `/api/v1/workflows/${id}`)
    await advance(interval)
    expect(await mill.database.owner`select id from executions where workflow_id = ${id}`).toHaveLength(1)
    expect(await mill.database.owner`select node_id from workflow_schedules where workflow_id = ${id}`).toEqual([])
  })
})

describe('times at which no server ran', () => {
  test.each([
    ['skip', 0],
    ['once', 1],
    ['all', 3],
  ] as const)('with "%s" come to %i executions', async (missed, count) => {
    const id = await publish(user, definition({ every_ms: interval, missed }))
    const begun = clock.now()
    await away(3 * interval + 10 * minute)
    const all = [1, 2, 3].map((times) => new Date(begun + times * interval).toISOString())
    expect(await firedFor(id)).toEqual(all.slice(3 - count))
    expect(await next(id)).toBe(new Date(begun + 4 * interval).toISOString())
    await act(id, 'archive')
  })

  test('are no more than a hundred that are made up for', async () => {
    const id = await publish(user, definition({ cron: '* * * * *', missed: 'all' }))
    await away(150 * minute)
    const [row] = await mill.database.owner`select count(*) as count from executions where workflow_id = ${id}`
    expect(row?.['count']).toBe(100)
    await act(id, 'archive')
  })

  test('are not missed when the server is late by less than a minute', async () => {
    const id = await publish(user, definition({ every_ms: interval }))
    await away(interval + 59_000)
    expect(await firedFor(id)).toHaveLength(1)
    await act(id, 'archive')
  })
})

test('a time whose transaction does not commit is fired by the next one who looks, and then once', async () => {
  const id = await publish(user, definition({ every_ms: 60_000 }))
  await mill.database.owner`
    create function refuse() returns trigger language plpgsql as $$ begin raise 'the database refuses'; end $$`
  await mill.database.owner`create trigger refuse before update on workflow_schedules for each row execute function refuse()`
  clock.advance(61_000)
  // The other process may have the row locked at that moment; it is refused as well.
  await vi.waitFor(() => expect(mill.app.use(scheduleClock).fire()).rejects.toThrow('the database refuses'))
  expect(await executionsOf(id)).toEqual([])
  await mill.database.owner`drop trigger refuse on workflow_schedules`
  await fired()
  expect(await firedFor(id)).toHaveLength(1)
  await act(id, 'archive')
})

test('the schedules of a deleted workspace do not fire', async () => {
  const { body: team } = await user.call('POST', '/api/v1/workspaces', { body: { name: 'Mill at the brook' } })
  const there: TestUser = {
    ...user,
    call: (method, path, request) => user.call(method, path, { ...request, headers: { ...request?.headers, 'x-workspace-id': team.id } }),
  }
  const id = await publish(there, definition({ every_ms: 60_000 }))
  const { status } = await there.call('DELETE', `/api/v1/workspaces/${team.id}`)
  expect(status).toBeLessThan(300)
  await advance(10 * minute)
  expect(await mill.database.owner`select id from executions where workflow_id = ${id}`).toEqual([])
})

test.each([
  [{}, '', 'It takes either "cron" or "every_ms"'],
  [{ cron: '* * * * *', every_ms: 5000 }, '', 'It takes either "cron" or "every_ms"'],
  [{ cron: '61 * * * *' }, '/cron', 'This is no cron expression: Invalid value for minute: 61'],
  [{ cron: '0 0 31 2 *' }, '/cron', 'There is no such time'],
  [{ cron: '0 0 ? * MON' }, '/cron', expect.stringContaining('write "*"')],
  [{ cron: '0 9 * * *', timezone: 'Vienna' }, '/timezone', expect.stringContaining('is not a time zone')],
  [{ every_ms: 60_000, timezone: 'UTC' }, '/timezone', 'An interval goes by no clocks'],
  [{ every_ms: 10 }, '/every_ms', expect.stringContaining('must be at least 1000')],
] as const)('publish refuses %j', async (config, path, message) => {
  const { id } = await create(user, definition(config))
  const { status, body } = await user.call('POST', `/api/v1/workflows/${id}/publish`)
  expect(status).toBe(422)
  expect(body.errors).toEqual([{ path: `/nodes/0/config${path}`, message }])
})

test('a plan that is used up lets the times of its schedules pass by', async () => {
  const ben = await mill.register('ben')
  await givePlan(await mill.admin(), ben, 'free')
  const id = await publish(ben, definition({ every_ms: 60_000 }))
  const count = async () => (await mill.database.owner`select id from executions where workflow_id = ${id}`).length
  await advance(60_000)
  expect(await count()).toBe(1)
  const { used, limit } = await usageOf(ben, 'executions')
  await checkFor(mill.app, ben.workspace_id, { feature: 'executions', amount: limit - used })
  const due = at(60_000)
  await advance(120_000)
  expect(await count()).toBe(1)
  const [row] = await mill.database.owner`select next_at from workflow_schedules where workflow_id = ${id}`
  expect(Date.parse(row?.['next_at'] as string)).toBeGreaterThan(Date.parse(due))
})
