import { Type } from 'typebox'
import { httpErrors } from '../../../platform/http/errors.ts'
import { pageOf, pageQuery } from '../../../platform/http/paging.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import { Message } from '../schema.ts'
import { errors } from './errors.ts'
import * as keys from './keys.ts'
import { ApiKey, ApiKeyChange, ApiKeyWithSecret, NewApiKey, OwnedApiKey } from './schema.ts'

const Id = Type.String({ format: 'uuid' })
const params = Type.Object({ id: Id })
const body_limit_bytes = 32_768

export const createApiKey = route({
  method: 'POST',
  path: '/auth/api-keys',
  summary: 'Make an API key for the current workspace',
  description:
    'The reply shows the key, once. It works in this workspace alone, with those of its permissions that you have at the moment of each request. A mail tells you of it.',
  allow: 'account:security',
  body: NewApiKey,
  body_limit_bytes,
  replies: { 201: ApiKeyWithSecret },
  idempotent: 'claimed',
  errors: [errors.api_key_permission_refused, errors.api_key_expiry_past, errors.api_key_limit, planErrors.limit_reached],
  limits: [{ name: 'api-keys', quota: 60, window_s: 3_600, per: 'user' }],
  handler: async (ctx, { body }) => reply({ status: 201, headers: { 'cache-control': 'no-store' }, body: await keys.create(ctx, body) }),
})

export const listApiKeys = route({
  method: 'GET',
  path: '/auth/api-keys',
  summary: 'Your API keys',
  description: 'Of all your workspaces, or of one. Ordered by when they were made.',
  allow: 'account:security',
  query: Type.Object({ ...pageQuery, workspace_id: Type.Optional(Id) }),
  replies: { 200: pageOf(ApiKey) },
  handler: (ctx, { query }) => keys.list(ctx, query),
})

export const getApiKey = route({
  method: 'GET',
  path: '/auth/api-keys/{id}',
  summary: 'One of your API keys',
  allow: 'account:security',
  etag: true,
  params,
  replies: { 200: ApiKey },
  errors: [errors.api_key_not_found],
  handler: (ctx, input) => keys.get(ctx, input.params.id),
})

export const putApiKey = route({
  method: 'PUT',
  path: '/auth/api-keys/{id}',
  summary: 'Change one of your API keys',
  description:
    'A field that is given replaces the stored one whole; a field that is not given stays. The key itself stays the same. Permissions may be any that you have yourself in its workspace; what they are counts within a second everywhere.',
  allow: 'account:security',
  etag: true,
  params,
  body: ApiKeyChange,
  body_limit_bytes,
  replies: { 200: ApiKey },
  errors: [errors.api_key_not_found, errors.api_key_permission_refused, errors.api_key_expiry_past, httpErrors.precondition_failed],
  handler: (ctx, { params: { id }, body, request }) => keys.change(ctx, id, body, request.if_match),
})

export const deleteApiKey = route({
  method: 'DELETE',
  path: '/auth/api-keys/{id}',
  summary: 'Remove one of your API keys',
  description: 'It is refused from now on, everywhere.',
  allow: 'account:security',
  params,
  replies: { 200: Message },
  errors: [errors.api_key_not_found],
  handler: async (ctx, input) => {
    await keys.remove(ctx, input.params.id)
    return { message: 'The API key is removed.' }
  },
})

export const listAllApiKeys = route({
  method: 'GET',
  path: '/users/admin/api-keys',
  summary: 'Every API key of the installation',
  description: 'With its owner and its last use; never the key.',
  allow: 'keys:read_all',
  query: Type.Object({ ...pageQuery, user_id: Type.Optional(Id), workspace_id: Type.Optional(Id) }),
  replies: { 200: pageOf(OwnedApiKey) },
  handler: (ctx, { query }) => keys.listAll(ctx, query),
})

export const deleteAnyApiKey = route({
  method: 'DELETE',
  path: '/users/admin/api-keys/{id}',
  summary: "Remove anybody's API key",
  description: 'It is refused from now on, everywhere. A mail tells its owner.',
  allow: 'users:manage',
  params,
  replies: { 200: Message },
  errors: [errors.api_key_not_found],
  handler: async (ctx, input) => {
    await keys.removeForAdmin(ctx, input.params.id)
    return { message: 'The API key is removed.' }
  },
})
