import { Type } from 'typebox'
import { reply, route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import * as bulk from './bulk.ts'
import { Bulk, NewBulk, type Verb, verbs } from './schema.ts'

export const startBulk = route({
  method: 'POST',
  path: '/workflows/executions/bulk/{verb}',
  summary: 'Cancel, retry, fork, pause, resume or dismiss many executions',
  description:
    'Which ones is decided now: up to 1,000 by their ids, or up to 10,000 by a filter. Each is done by itself, as the call for one execution does it, and what came of it is listed at `GET /workflows/bulks/{id}`.',
  allow: 'workflows:execute',
  idempotent: true,
  params: Type.Object({ verb: Type.Unsafe<Verb>({ type: 'string', enum: [...verbs] }) }),
  body: NewBulk,
  body_limit_bytes: 128 * 1024,
  replies: { 202: Bulk },
  errors: [errors.not_found, errors.bulk_too_many, errors.too_many_bulks],
  handler: async (ctx, { params: { verb }, body }) => {
    const started = await bulk.start(ctx, verb, body)
    return reply({ status: 202, body: started, headers: { location: `/api/v1/workflows/bulks/${started.id}` } })
  },
})

export const getBulk = route({
  method: 'GET',
  path: '/workflows/bulks/{id}',
  summary: 'What has come of something that is done to many executions',
  description: 'Kept for thirty days.',
  allow: 'workflows:read',
  params: Type.Object({ id: Id }),
  query: Type.Object({
    from_item: Type.Integer({ minimum: 1, maximum: 100_000, default: 1, description: '`next_item` of the reply before.' }),
  }),
  replies: { 200: Bulk },
  errors: [errors.bulk_not_found],
  handler: (ctx, { params: { id }, query }) => bulk.get(ctx, id, query.from_item),
})
