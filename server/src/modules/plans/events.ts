import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'
import { FeatureName, PlanTitle } from './schema.ts'

const data = Type.Object({
  workspace_id: Type.String({ format: 'uuid' }),
  user_id: Type.Union([Type.String({ format: 'uuid' }), Type.Null()], {
    description: 'Whose limit it is, where it is not the workspace’s.',
  }),
  feature: FeatureName,
  plan: PlanTitle,
  limit: Type.Integer(),
  used: Type.Integer(),
  period_start: Type.String({ format: 'date-time' }),
})

export const limitReached = defineEvent({
  name: 'plans.limit.reached',
  doc: 'Something was refused because the plan gives no more of it. At most once per feature and period; per hour where there is no period.',
  data,
})

export const limitNear = defineEvent({
  name: 'plans.limit.near',
  doc: 'Four fifths of what the plan gives of a counted feature are used. Once per feature and period.',
  data,
})
