import type { Ctx } from '../../platform/context.ts'
import { counters } from '../../platform/counters/counters.ts'
import { bestOf, type Feature, feature_names, features, plan_names, type PlanName, plans } from './catalogue.ts'
import { monthOf, type Period } from './period.ts'
import { planOf, workspaceOf } from './plans.ts'
import { requestsCounter } from './quotas.ts'
import type { Catalogue, PlanUsage } from './schema.ts'
import * as store from './store.ts'

/** The plans with their limits, and what the limits are of. */
export const catalogue = (): Catalogue => ({
  plans: plan_names.map((plan) => ({ plan, limits: plans[plan] })),
  features: feature_names.map((feature) => {
    const { kind, per, unit, doc } = features[feature]
    return { feature, kind, per, unit, description: doc }
  }),
})

type FeatureUsage = PlanUsage['features'][number]

/** What the plan of the current workspace gives, that of the caller for what is limited per user, and what is used of it. */
export const usage = async (ctx: Ctx): Promise<PlanUsage> => {
  const workspace_id = workspaceOf(ctx)
  const plan = await planOf(ctx, workspace_id)
  const own = ctx.actor.type === 'user' ? bestOf([ctx.actor.plan]) : plan
  const month = monthOf(ctx.now())
  const counted = new Map((await store.usageOf(ctx.db, workspace_id, month.period_start)).map(({ feature, used }) => [feature, used]))
  const all = feature_names.map((feature) => oneOf(ctx, feature, features[feature].per === 'user' ? own : plan, { counted, month }))
  return { workspace_id, plan, features: await Promise.all(all) }
}

interface Counted {
  readonly counted: ReadonlyMap<string, number>
  readonly month: Period
}

const oneOf = async (ctx: Ctx, feature: Feature, plan: PlanName, { counted, month }: Counted): Promise<FeatureUsage> => {
  const limit = plans[plan][feature]
  const common = { feature, plan, limit, used: null, period_start: null, period_end: null }
  if (limit === null) return common
  switch (features[feature].kind) {
    case 'counted':
      return { ...common, ...month, used: counted.get(feature) ?? 0 }
    case 'gauge':
      return { ...common, used: (await gaugeOf(ctx, feature)?.(ctx)) ?? null }
    case 'rate':
      return { ...common, ...(await requestsOf(ctx)) }
  }
}

const gaugeOf = (ctx: Ctx, feature: Feature): ((ctx: Ctx) => Promise<number>) | undefined =>
  ctx.modules.find((module) => module.gauges?.[feature])?.gauges?.[feature]

const requestsOf = async (ctx: Ctx): Promise<Partial<FeatureUsage>> => {
  if (ctx.actor.type !== 'user') return {}
  const { used, reset_ms } = await requestsCounter(ctx.use(counters)).read(ctx.actor.user_id)
  const now = ctx.now()
  return { used, period_end: new Date(now + reset_ms).toISOString() }
}
