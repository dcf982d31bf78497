import { Type } from 'typebox'
import { httpErrors } from '../../../platform/http/errors.ts'
import { keyset, pageOf, pageQuery } from '../../../platform/http/paging.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import { NewSecret, Secret, SecretChange } from './schema.ts'
import * as secrets from './secrets.ts'

const params = Type.Object({ id: Id })
const byId = keyset(Id)

export const createSecret = route({
  method: 'POST',
  path: '/workflows/secrets',
  summary: 'Keep a secret for workflows',
  description: 'Encrypted, used by webhooks that name it by `secret_id`, and shown to nobody again.',
  allow: 'workflows:write',
  idempotent: true,
  etag: true,
  body: NewSecret,
  replies: { 201: Secret },
  errors: [errors.secret_name_taken, errors.too_many_secrets],
  handler: async (ctx, { body }) => {
    const secret = await secrets.create(ctx, body)
    return reply({ status: 201, body: secret, headers: { location: `/api/v1/workflows/secrets/${secret.id}` } })
  },
})

export const listSecrets = route({
  method: 'GET',
  path: '/workflows/secrets',
  summary: 'The secrets of the workspace, without their values',
  allow: 'workflows:read',
  query: Type.Object(pageQuery),
  replies: { 200: pageOf(Secret) },
  handler: async (ctx, { query }) => {
    const { limit, order, total } = query
    const [rows, counted] = await Promise.all([
      secrets.list(ctx, { after: byId.after(query), limit: limit + 1, descending: order === 'desc' }),
      total === true ? secrets.count(ctx) : undefined,
    ])
    return byId.page(rows, limit, ({ id }) => id, counted)
  },
})

export const getSecret = route({
  method: 'GET',
  path: '/workflows/secrets/{id}',
  summary: 'A secret, without its value',
  allow: 'workflows:read',
  etag: true,
  params,
  replies: { 200: Secret },
  errors: [errors.secret_not_found],
  handler: (ctx, { params: { id } }) => secrets.get(ctx, id),
})

export const putSecret = route({
  method: 'PUT',
  path: '/workflows/secrets/{id}',
  summary: 'Rename a secret, or give it a new value',
  description: 'The value before goes on counting for `keep_previous_s`, so that both sides can change over one after the other.',
  allow: 'workflows:write',
  etag: true,
  params,
  body: SecretChange,
  replies: { 200: Secret },
  errors: [errors.secret_not_found, errors.secret_name_taken, httpErrors.precondition_failed],
  handler: (ctx, { params: { id }, body, request }) => secrets.update(ctx, id, body, request.if_match),
})

export const deleteSecret = route({
  method: 'DELETE',
  path: '/workflows/secrets/{id}',
  summary: 'Remove a secret',
  allow: 'workflows:write',
  params,
  replies: { 204: Type.Null() },
  errors: [errors.secret_not_found, errors.secret_in_use, httpErrors.precondition_failed],
  handler: async (ctx, { params: { id }, request }) => {
    await secrets.remove(ctx, id, request.if_match)
    return null
  },
})
