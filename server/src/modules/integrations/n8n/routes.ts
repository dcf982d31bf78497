import { Type } from 'typebox'
import { reply, route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import * as automation from './automation.ts'
import { Handover, TriggerWorkflow } from './schema.ts'

export const triggerWorkflow = route({
  method: 'POST',
  path: '/automation/trigger-workflow',
  summary: 'Start a workflow of n8n',
  description:
    'Through its production webhook, or with `test` through the one of its editor. What came of it is at `Location`. It is tried again while n8n surely has not taken it, and never when that is unsure.',
  allow: 'integrations:use',
  idempotent: 'claimed',
  body: TriggerWorkflow,
  replies: { 202: Handover },
  errors: [errors.not_found, errors.not_usable],
  handler: async (ctx, { body }) => {
    const started = await automation.trigger(ctx, body)
    return reply({ status: 202, body: started, headers: { location: `/api/v1/automation/trigger-workflow/${started.execution_id}` } })
  },
})

export const getTriggered = route({
  method: 'GET',
  path: '/automation/trigger-workflow/{id}',
  summary: 'What came of a start of a workflow of n8n',
  allow: 'integrations:read',
  params: Type.Object({ id: Id }),
  replies: { 200: Handover },
  errors: [errors.handover_not_found],
  handler: (ctx, { params: { id } }) => automation.outcomeOf(ctx, id),
})
