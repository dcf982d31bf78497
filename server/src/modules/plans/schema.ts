import { Type, type Static } from 'typebox'
import { type Feature, feature_names, plan_names, type PlanName } from './catalogue.ts'

export const PlanTitle = Type.Unsafe<PlanName>(Type.Union(plan_names.map((name) => Type.Literal(name))))
export const FeatureName = Type.Unsafe<Feature>(Type.Union(feature_names.map((name) => Type.Literal(name))))

const Limit = Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description: 'Null: without a limit.' })
const Time = Type.String({ format: 'date-time' })

const FeatureDescription = Type.Object({
  feature: FeatureName,
  kind: Type.Union([Type.Literal('rate'), Type.Literal('counted'), Type.Literal('gauge')], {
    description: '`rate`: so many an hour. `counted`: so much a calendar month. `gauge`: so much at any time.',
  }),
  per: Type.Union([Type.Literal('user'), Type.Literal('workspace')]),
  unit: Type.String(),
  description: Type.String(),
})

const limits = Object.fromEntries(feature_names.map((name) => [name, Limit])) as { readonly [F in Feature]: typeof Limit }

const OfferedPlan = Type.Object({ plan: PlanTitle, limits: Type.Object(limits) })

export const Catalogue = Type.Object(
  { plans: Type.Array(OfferedPlan, { description: 'From the least to the most.' }), features: Type.Array(FeatureDescription) },
  { title: 'Plans', description: 'What each plan gives.' },
)
export type Catalogue = Static<typeof Catalogue>

const FeatureUsage = Type.Object({
  feature: FeatureName,
  plan: PlanTitle,
  limit: Limit,
  used: Type.Union([Type.Integer(), Type.Null()], { description: 'Null where it is not counted.' }),
  period_start: Type.Union([Time, Type.Null()]),
  period_end: Type.Union([Time, Type.Null()], { description: 'When the count begins anew; null for what is counted at any time.' }),
})

export const PlanUsage = Type.Object(
  {
    workspace_id: Type.String({ format: 'uuid' }),
    plan: PlanTitle,
    features: Type.Array(FeatureUsage),
  },
  { title: 'PlanUsage', description: 'What the plan of a workspace, the best among its owners, gives and what is used of it.' },
)
export type PlanUsage = Static<typeof PlanUsage>
