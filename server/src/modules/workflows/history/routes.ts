import { Type } from 'typebox'
import { WorkflowStatistics } from '../../../engine/statistics/read-statistics.ts'
import { route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import { statisticsOf } from './workflow-statistics.ts'

const Time = (description: string) =>
  Type.Optional(Type.Union([Type.String({ format: 'date-time' }), Type.String({ format: 'date' })], { description }))

export const workflowStatistics = route({
  method: 'GET',
  path: '/workflows/{id}/statistics',
  summary: 'How often a workflow ran, how it ended and how long it took',
  description: 'By the time at which executions ended; trial runs are left out.',
  allow: 'workflows:read',
  params: Type.Object({ id: Id }),
  query: Type.Object({
    from: Time('The beginning of its hour or day counts; a day before `to` when not given, and thirty for days.'),
    to: Time('Now when not given.'),
    bucket: Type.Union([Type.Literal('hour'), Type.Literal('day')], {
      default: 'hour',
      description: 'Hours of up to 14 days, or days of up to 366.',
    }),
  }),
  replies: { 200: WorkflowStatistics },
  errors: [errors.not_found],
  handler: (ctx, { params: { id }, query }) => statisticsOf(ctx, id, query),
})
