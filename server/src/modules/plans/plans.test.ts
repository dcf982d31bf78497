import { Type } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { manualClock } from '../../platform/clock.ts'
import { defineEvent } from '../../platform/events/event.ts'
import { type TestApp, testApp, type TestUser } from '../../test-app.ts'
import { limitOf, type PlanName } from './catalogue.ts'
import * as plans from './plans.ts'

const clock = manualClock(Date.parse('2026-11-20T09:50:00Z'))
let mill: TestApp

beforeAll(async () => {
  mill = await testApp({ clock, env: { MILLRACE_DEFAULT_PLAN: 'free' } })
})
afterAll(() => mill.close())

const planChanged = defineEvent({ name: 'users.plan.changed', doc: '', data: Type.Object({ user_id: Type.String(), plan: Type.String() }) })

const setPlan = (user: TestUser, plan: PlanName, at: TestApp = mill): Promise<void> =>
  at.app.asSystem('a test gives a plan').tx(async (tx) => {
    await tx.db.updateTable('users').set({ plan }).where('id', '=', user.id).execute()
    tx.emit(planChanged, { user_id: user.id, plan })
  })

const use = (user: TestUser, amount: number, at: TestApp = mill) =>
  plans.checkFor(at.app, user.workspace_id, { feature: 'executions', amount })

test('the catalogue is there for everybody', async () => {
  const { status, body } = await mill.call('GET', '/api/v1/plans')
  expect(status).toBe(200)
  expect(body.plans.map(({ plan }: { plan: string }) => plan)).toEqual(['free', 'basic', 'premium', 'enterprise'])
  expect(body.plans.map(({ limits }: { limits: { requests: number } }) => limits.requests)).toEqual([100, 500, 2_000, null])
})

test('what is counted is shown with its limit and the end of its month', async () => {
  const anna = await mill.register()
  await use(anna, 7)
  const { status, body } = await anna.call('GET', '/api/v1/plans/usage')
  expect(status).toBe(200)
  expect(body).toMatchObject({ workspace_id: anna.workspace_id, plan: 'free' })
  expect(body.features.find(({ feature }: { feature: string }) => feature === 'executions')).toEqual({
    feature: 'executions',
    plan: 'free',
    limit: limitOf('free', 'executions'),
    used: 7,
    period_start: '2026-11-01T00:00:00.000Z',
    period_end: '2026-12-01T00:00:00.000Z',
  })
})

test('fifty at once take exactly what the plan has left', async () => {
  const ben = await mill.register()
  await use(ben, 1_000 - 20)
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, async () => use(ben, 1)))
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected')
      expect(outcome.reason).toMatchObject({ code: 'plans.limit_reached', details: { extra: { used: 1_000 } } })
  }
  await setPlan(ben, 'basic')
  await use(ben, 1)
})
