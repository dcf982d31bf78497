import { Type } from 'typebox'
import { ExecutionSummary, ExecutionView, executionStatuses } from '../../engine/history.ts'
import type { ExecutionFilter } from '../../engine/list-executions.ts'
import { httpErrors } from '../../platform/http/errors.ts'
import { keyset, pageOf, pageQuery } from '../../platform/http/paging.ts'
import { reply, route } from '../../platform/http/route.ts'
import type { Ctx } from '../../platform/context.ts'
import { errors as planErrors } from '../plans/errors.ts'
import { errors } from './errors.ts'
import * as executions from './executions.ts'
import { Execution, Id, StartExecution } from './schema.ts'

const params = Type.Object({ id: Id })
const byId = keyset(Id)

const Time = (description: string) =>
  Type.Optional(Type.Union([Type.String({ format: 'date-time' }), Type.String({ format: 'date' })], { description }))

const query = Type.Object({
  ...pageQuery,
  status: Type.Optional(
    Type.Array(Type.Union(executionStatuses.map((status) => Type.Literal(status))), {
      minItems: 1,
      maxItems: executionStatuses.length,
      description: 'Give it several times for several: `status=failed&status=timed_out`.',
    }),
  ),
  mode: Type.Optional(ExecutionSummary.properties.mode),
  trigger: Type.Optional(
    Type.String({ minLength: 1, maxLength: 100, description: 'Type of the trigger: `trigger.webhook`, or `webhook` for short.' }),
  ),
  version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647 })),
  from: Time('Started at this time or later; a date is its midnight in UTC.'),
  to: Time('Started before this time.'),
  error: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'Part of the code or the message of the error, in upper or lower case.' }),
  ),
  error_code: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'The whole code of the error: `http.status`.' })),
  parent_execution_id: Type.Optional(Type.String({ format: 'uuid', description: 'The execution that has called it.' })),
})

type Query = ExecutionFilter & {
  readonly limit: number
  readonly order: 'asc' | 'desc'
  readonly cursor?: string
  readonly total?: boolean
}

const instant = (time: string | undefined): string | undefined => (time?.length === 10 ? `${time}T00:00:00Z` : time)

const page = async (ctx: Ctx, input: Query) => {
  const { limit, order, cursor, total, trigger, from, to, ...rest } = input
  const type = trigger === undefined || trigger.startsWith('trigger.') ? trigger : `trigger.${trigger}`
  const filter = { ...rest, trigger: type, from: instant(from), to: instant(to) }
  const after = byId.after(cursor === undefined ? {} : { cursor })
  const [found, counted] = await Promise.all([
    executions.list(ctx, filter, { after, limit: limit + 1, descending: order === 'desc' }),
    total === true ? executions.count(ctx, filter) : undefined,
  ])
  return byId.searched(found.executions, limit, ({ id }) => id, found.go_on_after, counted)
}

export const executeWorkflow = route({
  method: 'POST',
  path: '/workflows/{id}/execute',
  summary: 'Start a workflow by hand',
  description:
    'Starts the published version at its `trigger.manual`, or at its first trigger when it has none. Answers 202 once the execution is durable, ' +
    'or 200 when it has ended within `wait_ms`.',
  allow: 'workflows:execute',
  idempotent: 'claimed',
  params,
  body: StartExecution,
  replies: { 202: Execution, 200: Execution },
  errors: [errors.not_found, errors.not_active, errors.no_trigger, planErrors.limit_reached, httpErrors.precondition_failed],
  handler: async (ctx, { params: { id }, body, request }) => {
    const { in_time, execution } = await executions.execute(ctx, id, body, request)
    return reply({ status: in_time ? 200 : 202, body: execution, headers: { location: `/api/v1/workflows/executions/${execution.id}` } })
  },
})

const searching =
  'A page may hold fewer items than `limit` and have a `next_cursor` all the same: where few of many fit, each page looks at so many executions and no more.'

export const listExecutions = route({
  method: 'GET',
  path: '/workflows/executions',
  summary: 'Executions of all workflows of the workspace',
  description: searching,
  allow: 'workflows:read',
  query,
  replies: { 200: pageOf(ExecutionSummary) },
  handler: (ctx, input) => page(ctx, input.query),
})

const { status: _, mode: __, parent_execution_id: ___, ...of_dead } = query.properties

export const listDeadLetters = route({
  method: 'GET',
  path: '/workflows/dead-letters',
  summary: 'Executions that failed and that nobody has looked after',
  description: `What failed or timed out, is no test run, and was neither tried again nor dismissed. ${searching}`,
  allow: 'workflows:read',
  query: Type.Object({ ...of_dead, workflow_id: Type.Optional(Id) }),
  replies: { 200: pageOf(ExecutionSummary) },
  errors: [errors.not_found],
  handler: (ctx, input) => page(ctx, { ...input.query, dead: true }),
})

export const listExecutionsOfWorkflow = route({
  method: 'GET',
  path: '/workflows/{id}/executions',
  summary: 'Executions of a workflow',
  description: searching,
  allow: 'workflows:read',
  params,
  query,
  replies: { 200: pageOf(ExecutionSummary) },
  errors: [errors.not_found],
  handler: (ctx, input) => page(ctx, { ...input.query, workflow_id: input.params.id }),
})

export const getExecution = route({
  method: 'GET',
  path: '/workflows/executions/{id}',
  summary: 'An execution with its steps',
  allow: 'workflows:read',
  etag: true,
  params,
  query: Type.Object({
    payloads: Type.Optional(Type.Boolean({ default: false, description: 'With the input and the output of each step.' })),
    from_record: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2_147_483_647,
        description: 'Lists the steps from this record on: `next_record` of the reply before.',
      }),
    ),
  }),
  replies: { 200: ExecutionView },
  errors: [errors.execution_not_found],
  handler: (ctx, input) =>
    executions.get(ctx, input.params.id, { payloads: input.query.payloads === true, from_record: input.query.from_record }),
})

export const cancelExecution = route({
  method: 'POST',
  path: '/workflows/executions/{id}/cancel',
  summary: 'End an execution',
  description: 'What is in flight is aborted. An execution that another process holds may still be shown as running for a moment.',
  allow: 'workflows:execute',
  etag: true,
  params,
  replies: { 200: ExecutionView },
  errors: [errors.execution_not_found, errors.execution_ended, httpErrors.precondition_failed],
  handler: (ctx, input) => executions.cancel(ctx, input.params.id, input.request.if_match),
})
