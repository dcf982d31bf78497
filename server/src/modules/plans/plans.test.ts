import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { manualClock } from '../../platform/clock.ts'
import type { Ctx, TxCtx } from '../../platform/context.ts'
import { type TestApp, testApp, type TestUser } from '../../test-app.ts'
import { memberAdded } from '../workspaces/events.ts'
import { features, limitOf, plan_names, plans as catalogue } from './catalogue.ts'
import plansModule from './module.ts'
import * as plans from './plans.ts'
import { givePlan, told, usageOf } from './plans.testing.ts'

const clock = manualClock(Date.parse('2026-11-20T09:50:00Z'))
const month = { period_start: '2026-11-01T00:00:00.000Z', period_end: '2026-12-01T00:00:00.000Z' }
let mill: TestApp
let admin: TestUser

beforeAll(async () => {
  mill = await testApp({ clock, env: { MILLRACE_DEFAULT_PLAN: 'free' } })
  admin = await mill.admin()
  await givePlan(admin, admin, 'enterprise')
})
afterAll(() => mill.close())

const ctxOf = (user: TestUser): Ctx => mill.app.asSystem('a test asks for something', user.workspace_id)
const take = async (user: TestUser, amount: number) => plans.check(ctxOf(user), { feature: 'executions', amount })
const counted = async (user: TestUser) => (await usageOf(user, 'executions')).used

test('the catalogue is there for everybody, and its amounts are lost on no wire', async () => {
  const { status, body } = await mill.call('GET', '/api/v1/plans')
  expect(status).toBe(200)
  expect(body.plans).toEqual(plan_names.map((plan) => ({ plan, limits: catalogue[plan] })))
  expect(body.plans.map(({ limits }: { limits: { requests: number } }) => limits.requests)).toEqual([100, 500, 2_000, null])
  expect(body.features.map(({ feature }: { feature: string }) => feature)).toEqual(Object.keys(features))
  for (const limits of Object.values(catalogue))
    for (const limit of Object.values(limits)) expect(limit === null || Number.isSafeInteger(limit)).toBe(true)
})

test('a larger plan gives no less of anything', () => {
  for (const feature of Object.keys(features) as (keyof typeof features)[]) {
    const limits = plan_names.map((name) => catalogue[name][feature] ?? Number.POSITIVE_INFINITY)
    expect(limits).toEqual(limits.toSorted((a, b) => a - b))
  }
})

test('what is used is shown with its limit and the end of its month', async () => {
  const anna = await mill.register()
  await take(anna, 7)
  const { status, body } = await anna.call('GET', '/api/v1/plans/usage')
  expect(status).toBe(200)
  expect(body).toMatchObject({ workspace_id: anna.workspace_id, plan: 'free' })
  expect(await usageOf(anna, 'executions')).toEqual({ feature: 'executions', plan: 'free', limit: 1_000, used: 7, ...month })
  // Of requests, those so far: to register, and these.
  expect((await usageOf(anna, 'requests')).used).toBeGreaterThanOrEqual(2)
  expect(await usageOf(admin, 'executions')).toEqual({
    ...{ feature: 'executions', plan: 'enterprise', limit: null, used: null },
    ...{ period_start: null, period_end: null },
  })
})

test('what is used is for members to see', async () => {
  expect((await mill.call('GET', '/api/v1/plans/usage')).status).toBe(401)
})

test('fifty at once take exactly what is left, and who comes too late is told how much there was', async () => {
  const ben = await mill.register()
  await take(ben, 1_000 - 20)
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => take(ben, 1)))
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') continue
    expect(outcome.reason).toMatchObject({
      code: 'plans.limit_reached',
      declaration: { status: 402 },
      details: {
        extra: {
          ...{ 'violated-policies': ['executions'], feature: 'executions', plan: 'free', limit: 1_000, used: 1_000 },
          ...{ requested: 1, period_end: month.period_end },
        },
      },
    })
  }
  expect(await counted(ben)).toBe(1_000)
})

test('amounts that differ are taken one by one, and a small one still fits where a large one does not', async () => {
  const carl = await mill.register()
  const outcomes = await Promise.allSettled([600, 600, 300, 300, 100, 1].map((amount) => take(carl, amount)))
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected'])
  expect(await counted(carl)).toBe(1_000)
  await expect(take(carl, -1)).rejects.toThrow(RangeError)
  await expect(take(carl, 0.5)).rejects.toThrow(RangeError)
})

test('an amount that no month can hold is refused without a trace', async () => {
  const dora = await mill.register()
  await expect(take(dora, 1_001)).rejects.toMatchObject({ code: 'plans.limit_reached', details: { extra: { used: 0, requested: 1_001 } } })
  expect(await counted(dora)).toBe(0)
})

test('the AI budget is counted to the millionth of a millionth', async () => {
  const erna = await mill.register()
  await givePlan(admin, erna, 'premium')
  const budget = limitOf('premium', 'ai_budget_pico_usd') as number
  await plans.check(ctxOf(erna), { feature: 'ai_budget_pico_usd', amount: budget - 1 })
  await plans.check(ctxOf(erna), { feature: 'ai_budget_pico_usd', amount: 1 })
  await expect(plans.check(ctxOf(erna), { feature: 'ai_budget_pico_usd', amount: 1 })).rejects.toMatchObject({
    details: { extra: { used: budget } },
  })
  expect(await usageOf(erna, 'ai_budget_pico_usd')).toMatchObject({ used: budget, limit: budget })
})

test('what was taken for nothing is given back', async () => {
  const fred = await mill.register()
  await take(fred, 999)
  const failing = plans.spending(mill.app, take(fred, 1), () => Promise.reject(new Error('the wheel is stuck')))
  await expect(failing).rejects.toThrow('the wheel is stuck')
  expect(await counted(fred)).toBe(999)
  await plans.refund(mill.app, await take(fred, 1))
  expect(await plans.spending(mill.app, take(fred, 1), () => Promise.resolve('ground'))).toBe('ground')
  await expect(take(fred, 1)).rejects.toMatchObject({ code: 'plans.limit_reached' })
})

test('in a transaction what is taken goes with it', async () => {
  const gina = await mill.register()
  const undone = ctxOf(gina).tx(async (tx) => {
    await plans.check(tx, { feature: 'executions', amount: 5 })
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await counted(gina)).toBe(0)
  await ctxOf(gina).tx((tx) => Promise.resolve(plans.check(tx, { feature: 'executions', amount: 5 })))
  expect(await counted(gina)).toBe(5)
})

test('a request of a member may take in its own transaction, and of its own workspace alone', async () => {
  const [hans, ina] = [await mill.register(), await mill.register()]
  const via = { type: 'session', session_id: mill.app.newId() } as const
  const actor = {
    type: 'user',
    user_id: hans.id,
    role: 'user',
    workspace_role: 'member',
    plan: 'free',
    via,
    impersonator_id: null,
  } as const
  const of = (workspace_id: string) => mill.app.context({ actor, workspace_id, request_id: 'test' })
  await of(hans.workspace_id).tx((tx) => Promise.resolve(plans.check(tx, { feature: 'executions', amount: 3 })))
  expect(await counted(hans)).toBe(3)
  await take(ina, 2)
  const [seen] = await of(hans.workspace_id).tx(async (tx) => {
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from plan_usage where workspace_id = ${ina.workspace_id}`.execute(
      tx.db,
    )
    return rows
  })
  expect(seen?.n).toBe(0)
})

test('a plan without a limit is answered at once and leaves nothing behind', async () => {
  // Its plan is read at the first question.
  await plans.planOf(mill.app, admin.workspace_id)
  expect(plans.checkFor(mill.app, admin.workspace_id, { feature: 'executions', amount: 1_000_000 })).toBeNull()
  expect(plans.check(ctxOf(admin), { feature: 'ai_budget_pico_usd', amount: 1 })).toBeNull()
  await ctxOf(admin).tx((tx) => {
    const used = (): Promise<number> => Promise.reject(new Error('nobody has to count'))
    expect(plans.check(tx, { feature: 'seats', amount: 1, used })).toBeNull()
    return Promise.resolve()
  })
  const rows = await mill.database.owner`select from plan_usage where workspace_id = ${admin.workspace_id}`
  expect(rows).toHaveLength(0)
})

test('another plan counts at once, upwards and downwards', async () => {
  const jan = await mill.register()
  await take(jan, 1_000)
  await expect(take(jan, 1)).rejects.toMatchObject({ code: 'plans.limit_reached' })
  await givePlan(admin, jan, 'basic')
  await take(jan, 1)
  expect(await usageOf(jan, 'executions')).toMatchObject({ plan: 'basic', limit: 10_000, used: 1_001 })
  await givePlan(admin, jan, 'free')
  await expect(take(jan, 1)).rejects.toMatchObject({ details: { extra: { limit: 1_000, used: 1_001 } } })
  await givePlan(admin, jan, 'enterprise')
  expect(await take(jan, 1)).toBeNull()
})

test('a workspace has the best plan among its owners', async () => {
  const [kai, lea] = [await mill.register(), await mill.register()]
  await givePlan(admin, lea, 'premium')
  await take(kai, 1)
  expect(await plans.planOf(mill.app, kai.workspace_id)).toBe('free')
  const join = (role: string) =>
    mill.database.owner`
      insert into workspace_members (workspace_id, user_id, role, created_at)
      values (${kai.workspace_id}, ${lea.id}, ${role}, now())
      on conflict (workspace_id, user_id) do update set role = excluded.role`
  const announce = (role: 'member' | 'owner') =>
    ctxOf(kai).tx((tx) => {
      tx.emit(memberAdded, { workspace_id: kai.workspace_id, user_id: lea.id, role })
      return Promise.resolve()
    })
  await join('member')
  await announce('member')
  expect(await plans.planOf(mill.app, kai.workspace_id)).toBe('free')
  await join('owner')
  await announce('owner')
  expect(await plans.planOf(mill.app, kai.workspace_id)).toBe('premium')
  await givePlan(admin, lea, 'basic')
  expect(await plans.planOf(mill.app, kai.workspace_id)).toBe('basic')
  await givePlan(admin, lea, 'free')
  expect(await plans.planOf(mill.app, kai.workspace_id)).toBe('free')
})

test('the count begins anew with the month', async () => {
  const mona = await mill.register()
  await take(mona, 1_000)
  await expect(take(mona, 1)).rejects.toMatchObject({ code: 'plans.limit_reached' })
  const last_of_november = Date.parse(month.period_end) - clock.now() - 1
  clock.advance(last_of_november)
  await expect(take(mona, 1)).rejects.toMatchObject({ code: 'plans.limit_reached' })
  clock.advance(1)
  const spent = await take(mona, 1)
  expect(spent).toMatchObject({ period_start: '2026-12-01T00:00:00.000Z' })
  clock.advance(-last_of_november - 1)
  // What is given back goes to the month it was taken from.
  await plans.refund(mill.app, spent)
  expect(await counted(mona)).toBe(1_000)
})

test('that a limit is near is said once, that it is reached once, however many are refused', async () => {
  const nora = await mill.register()
  await take(nora, 799)
  expect(await told(mill, 'plans.limit.near', nora.workspace_id)).toEqual([])
  await take(nora, 1)
  await take(nora, 1)
  await take(nora, 199)
  await Promise.allSettled(Array.from({ length: 100 }, () => take(nora, 1)))
  const common = {
    workspace_id: nora.workspace_id,
    user_id: null,
    feature: 'executions',
    plan: 'free',
    limit: 1_000,
    period_start: month.period_start,
  }
  expect(await told(mill, 'plans.limit.near', nora.workspace_id)).toEqual([{ ...common, used: 800 }])
  expect(await told(mill, 'plans.limit.reached', nora.workspace_id)).toEqual([{ ...common, used: 1_000 }])
})

/** A thing of which the plan gives so many, in a table of the test's own. */
const addSeat = (user: TestUser, wait: () => Promise<void> = () => Promise.resolve()) =>
  ctxOf(user).tx(async (tx: TxCtx) => {
    const used = async (): Promise<number> => {
      const { rows } = await sql<{
        n: number
      }>`select count(*)::int as n from test_seats where workspace_id = ${user.workspace_id}`.execute(tx.db)
      return rows[0]?.n ?? 0
    }
    await plans.check(tx, { feature: 'seats', amount: 1, used })
    await wait()
    await sql`insert into test_seats values (${user.workspace_id})`.execute(tx.db)
  })

test('of fifty that add at once, as many come in as the plan has room for', async () => {
  await mill.database.owner`create table test_seats (workspace_id uuid)`
  await mill.database.owner`grant select, insert on test_seats to millrace_system`
  const olga = await mill.register()
  const seats = limitOf('free', 'seats') as number
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => addSeat(olga)))
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(seats)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') {
      expect(outcome.reason).toMatchObject({
        code: 'plans.limit_reached',
        details: { extra: { feature: 'seats', plan: 'free', limit: seats, used: seats, period_end: null } },
      })
    }
  }
  expect(await told(mill, 'plans.limit.reached', olga.workspace_id)).toMatchObject([{ feature: 'seats', limit: seats, used: seats }])
  await givePlan(admin, olga, 'basic')
  await addSeat(olga)
})

test('who adds in one workspace does not wait for another', async () => {
  const [paul, quin] = [await mill.register(), await mill.register()]
  const held = Promise.withResolvers<void>()
  const holding = addSeat(paul, () => held.promise)
  await addSeat(quin)
  held.resolve()
  await holding
})

test('what is limited per user goes by the plan of the user', async () => {
  const rosa = await mill.register()
  const keys = (used: number) =>
    ctxOf(rosa).tx((tx) =>
      Promise.resolve(plans.check(tx, { feature: 'api_keys', amount: 1, user_id: rosa.id, used: () => Promise.resolve(used) })),
    )
  const limit = limitOf('free', 'api_keys') as number
  expect(await keys(limit - 1)).toBeNull()
  await expect(keys(limit)).rejects.toMatchObject({ details: { extra: { 'violated-policies': ['api_keys'], used: limit } } })
  await givePlan(admin, rosa, 'basic')
  expect(await keys(limit)).toBeNull()
})

test('room is asked for in a transaction, and nowhere else', () => {
  expect(() => plans.check(ctxOf(admin) as TxCtx, { feature: 'seats', amount: 1, used: () => Promise.resolve(0) })).toThrow('transaction')
})

test('what a workspace has used goes with it when it is gone for good', async () => {
  const sam = await mill.register()
  await take(sam, 900)
  await told(mill, 'plans.limit.near', sam.workspace_id)
  const rows = async (): Promise<number> => {
    const found = await mill.database.owner`
      select workspace_id from plan_usage where workspace_id = ${sam.workspace_id}
      union all
      select workspace_id from plan_notices where workspace_id = ${sam.workspace_id}`
    return found.length
  }
  expect(await rows()).toBe(2)
  const { signal } = new AbortController()
  expect(await plansModule.purge?.(mill.app, sam.workspace_id, signal)).toBe(true)
  expect(await rows()).toBe(0)
})
