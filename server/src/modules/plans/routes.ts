import { route } from '../../platform/http/route.ts'
import { Catalogue, PlanUsage } from './schema.ts'
import * as usage from './usage.ts'

export const getPlans = route({
  method: 'GET',
  path: '/plans',
  summary: 'What each plan gives',
  description: 'For a page of prices: every plan with its limits, and what the limits are of.',
  allow: 'public',
  replies: { 200: Catalogue },
  handler: () => usage.catalogue(),
})

export const getPlanUsage = route({
  method: 'GET',
  path: '/plans/usage',
  summary: 'What the plan gives and what is used of it',
  description:
    'Of the current workspace, and of yourself for what is limited per user. What a plan gives without a limit is not counted: `used` is null there.',
  allow: 'workspace:read',
  replies: { 200: PlanUsage },
  handler: (ctx) => usage.usage(ctx),
})
