import { Type } from 'typebox'
import { httpErrors } from '../../../platform/http/errors.ts'
import { keyset, pageOf, pageQuery } from '../../../platform/http/paging.ts'
import { route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import * as approvals from './approvals.ts'
import { Approval, NewDecision } from './schema.ts'

const params = Type.Object({ id: Id })
const byId = keyset(Id)
const { total: _, ...page } = pageQuery

export const listApprovals = route({
  method: 'GET',
  path: '/workflows/approvals',
  summary: 'What waits for your decision',
  allow: 'workflows:read',
  query: Type.Object(page),
  replies: { 200: pageOf(Approval) },
  handler: async (ctx, { query }) => {
    const { limit, order } = query
    const rows = await approvals.mine(ctx, { after: byId.after(query), limit: limit + 1, descending: order === 'desc' })
    return byId.page(rows, limit, ({ id }) => id, undefined)
  },
})

export const getApproval = route({
  method: 'GET',
  path: '/workflows/approvals/{id}',
  summary: 'A decision that a workflow asks for, and what was said so far',
  allow: 'workflows:read',
  params,
  replies: { 200: Approval },
  errors: [errors.approval_not_found],
  handler: (ctx, { params: { id } }) => approvals.get(ctx, id),
})

export const decideApproval = route({
  method: 'POST',
  path: '/workflows/approvals/{id}/decide',
  summary: 'Approve or reject',
  description: 'Who is asked decides once. The decision that settles it lets the execution go on, in the same transaction.',
  allow: 'workflows:approve',
  idempotent: true,
  params,
  body: NewDecision,
  replies: { 200: Approval },
  errors: [errors.approval_not_found, errors.approval_closed, errors.decided_already, httpErrors.validation_failed],
  handler: (ctx, { params: { id }, body }) => approvals.decide(ctx, id, body),
})
