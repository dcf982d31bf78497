import { Type } from 'typebox'
import { ExecutionView } from '../../../engine/history.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import * as control from './control.ts'
import { fork } from './fork.ts'

const params = Type.Object({ id: Id })
const common = {
  method: 'POST',
  allow: 'workflows:execute',
  etag: true,
  idempotent: true,
  params,
  replies: { 200: ExecutionView },
} as const
const general = [errors.execution_not_found, httpErrors.precondition_failed]

export const retryExecution = route({
  ...common,
  path: '/workflows/executions/{id}/retry',
  summary: 'Go on from the failed step',
  description:
    'For an execution that failed, was cancelled or timed out. It is the same execution: what has succeeded stays done, and effects that are tried again ' +
    'carry the same idempotency key as before. The first of several callers at once lets it go on.',
  errors: [...general, errors.execution_not_failed],
  handler: (ctx, input) => control.retry(ctx, input.params.id, input.request.if_match),
})

export const pauseExecution = route({
  ...common,
  path: '/workflows/executions/{id}/pause',
  summary: 'Let an execution come to rest',
  description:
    'What is in flight comes back and is kept, nothing new begins, no timer fires. Once it rests it is `waiting`, with `paused_at`. Pausing a paused one changes nothing.',
  errors: [...general, errors.execution_ended],
  handler: (ctx, input) => control.pause(ctx, input.params.id, input.request.if_match),
})

export const resumeExecution = route({
  ...common,
  path: '/workflows/executions/{id}/resume',
  summary: 'Let a paused execution go on',
  description: 'Timers whose time has come meanwhile fire at once. The time limit of the execution has stood still.',
  errors: [...general, errors.execution_not_paused],
  handler: (ctx, input) => control.resume(ctx, input.params.id, input.request.if_match),
})

export const dismissExecution = route({
  ...common,
  path: '/workflows/executions/{id}/dismiss',
  summary: 'Take an execution from the dead letters',
  description:
    'Nothing is to be done about this failure. The execution stays in the history; a retry brings it back. Dismissing it once more changes nothing.',
  errors: [...general, errors.not_a_dead_letter],
  handler: (ctx, input) => control.dismiss(ctx, input.params.id, input.request.if_match),
})

export const forkExecution = route({
  method: 'POST',
  path: '/workflows/executions/{id}/fork',
  summary: 'Start anew from a step',
  description:
    'A new execution that takes over the trigger and what was done upstream of the node, and goes on from there: on the same version or on any other into which that fits. ' +
    'Without a node it begins at the start.',
  allow: 'workflows:execute',
  idempotent: true,
  params,
  body: Type.Object(
    {
      node_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Outside of loops; a loop begins anew as a whole.' })),
      version: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: 'A published version; that of the execution when not given.' }),
      ),
      input: Type.Optional(Type.Unknown({ description: "The trigger's payload; that of the execution when not given." })),
    },
    { additionalProperties: false, title: 'ForkExecution' },
  ),
  replies: { 202: ExecutionView },
  errors: [
    ...general,
    errors.not_found,
    errors.version_not_found,
    errors.not_active,
    errors.incompatible_version,
    errors.execution_not_forkable,
    planErrors.limit_reached,
  ],
  handler: async (ctx, { params: { id }, body, request }) => {
    const execution = await fork(ctx, id, body, { revision: request.if_match })
    return reply({ status: 202, body: execution, headers: { location: `/api/v1/workflows/executions/${execution.id}` } })
  },
})
