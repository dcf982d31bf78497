import { Type } from 'typebox'
import { ExecutionView } from '../../../engine/history.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import { errors } from '../errors.ts'
import { body_limit_bytes, Id } from '../schema.ts'
import { testDraft } from './drafts.ts'
import { NewTestRun } from './schema.ts'

const params = Type.Object({ id: Id })

export const testWorkflow = route({
  method: 'POST',
  path: '/workflows/{id}/test',
  summary: 'Run the draft',
  description:
    'Runs the draft as it stands now, without publishing it, as an execution in mode `test` whose version is 0. Nodes with a pin give that instead of ' +
    'running; with `dry_run` nothing is done that has an effect. Answers 202 once the execution is durable, or 200 when it has ended within `wait_ms`.',
  allow: 'workflows:execute',
  idempotent: 'claimed',
  params,
  body: NewTestRun,
  body_limit_bytes,
  replies: { 202: ExecutionView, 200: ExecutionView },
  errors: [
    errors.not_found,
    errors.wrong_status,
    errors.no_trigger,
    errors.not_publishable,
    planErrors.limit_reached,
    httpErrors.precondition_failed,
    httpErrors.validation_failed,
  ],
  handler: async (ctx, { params: { id }, body, request }) => {
    const { in_time, execution } = await testDraft(ctx, id, body, request.if_match)
    return reply({ status: in_time ? 200 : 202, body: execution, headers: { location: `/api/v1/workflows/executions/${execution.id}` } })
  },
})
