import { Type } from 'typebox'
import { keyset, pageOf, pageQuery } from '../../../platform/http/paging.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import { errors } from '../errors.ts'
import { Execution, Id } from '../schema.ts'
import * as requests from './requests.ts'
import { RequestSummary, WebhookRequest } from './schema.ts'

const RequestParams = Type.Object({ id: Id, request_id: Id })
const byId = keyset(Id)

export const listRequests = route({
  method: 'GET',
  path: '/workflows/{id}/requests',
  summary: 'The calls that the webhooks of a workflow have had',
  description:
    'Those that were taken, or with `outcome=refused` those that started nothing, where the trigger keeps them (`keep_requests`).',
  allow: 'workflows:read',
  params: Type.Object({ id: Id }),
  query: Type.Object({
    ...pageQuery,
    outcome: Type.Union([Type.Literal('accepted'), Type.Literal('refused')], { default: 'accepted' }),
  }),
  replies: { 200: pageOf(RequestSummary) },
  errors: [errors.not_found],
  handler: async (ctx, { params: { id }, query }) => {
    const { limit, order, total, outcome } = query
    const [list, count] = outcome === 'refused' ? [requests.listRefused, requests.countRefused] : [requests.list, requests.count]
    const [found, counted] = await Promise.all([
      list(ctx, id, { after: byId.after(query), limit: limit + 1, descending: order === 'desc' }),
      total === true ? count(ctx, id) : undefined,
    ])
    return byId.searched(found.requests, limit, (request) => request.id, found.go_on_after, counted)
  },
})

export const getRequest = route({
  method: 'GET',
  path: '/workflows/{id}/requests/{request_id}',
  summary: 'A call of a webhook, as the workflow saw it',
  allow: 'workflows:read',
  params: RequestParams,
  replies: { 200: WebhookRequest },
  errors: [errors.request_not_found],
  handler: (ctx, { params: { id, request_id } }) => requests.get(ctx, id, request_id),
})

export const replayRequest = route({
  method: 'POST',
  path: '/workflows/{id}/requests/{request_id}/replay',
  summary: 'Run a workflow again with a call that it has had',
  description:
    'Starts the published version at the same webhook, also with a call that was refused; `trigger.replay_of` names it. Answers once the execution is durable.',
  allow: 'workflows:execute',
  idempotent: 'claimed',
  params: RequestParams,
  replies: { 202: Execution },
  errors: [errors.not_found, errors.request_not_found, errors.not_active, errors.request_not_replayable, planErrors.limit_reached],
  handler: async (ctx, { params: { id, request_id } }) => {
    const execution = await requests.replay(ctx, id, request_id)
    return reply({ status: 202, body: execution, headers: { location: `/api/v1/workflows/executions/${execution.id}` } })
  },
})
