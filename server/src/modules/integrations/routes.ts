import { Type } from 'typebox'
import { httpErrors } from '../../platform/http/errors.ts'
import { keyset, pageOf, pageQuery } from '../../platform/http/paging.ts'
import { reply, route } from '../../platform/http/route.ts'
import { errors } from './errors.ts'
import * as health from './health.ts'
import * as integrations from './integrations.ts'
import { HealthStatus, Id, Integration, IntegrationChange, IntegrationTypes, NewIntegration, TestResult } from './schema.ts'

const params = Type.Object({ id: Id })
const byId = keyset(Id)
const body_limit_bytes = 262_144

export const listTypes = route({
  method: 'GET',
  path: '/integrations/types',
  summary: 'What can be connected, as data',
  description: 'With the JSON Schemas of `config` and `credentials`: a form can be drawn from them.',
  allow: 'integrations:read',
  replies: { 200: IntegrationTypes },
  handler: () => ({ items: integrations.describeTypes() }),
})

export const createIntegration = route({
  method: 'POST',
  path: '/users/integrations',
  summary: 'Connect a service',
  description: 'It belongs to the workspace. Credentials are encrypted and never shown again.',
  allow: 'integrations:write',
  idempotent: true,
  etag: true,
  body: NewIntegration,
  body_limit_bytes,
  replies: { 201: Integration },
  errors: [errors.unknown_type, errors.limit],
  handler: async (ctx, { body }) => {
    const made = await integrations.create(ctx, body)
    return reply({ status: 201, body: made, headers: { location: `/api/v1/users/integrations/${made.id}` } })
  },
})

export const listIntegrations = route({
  method: 'GET',
  path: '/users/integrations',
  summary: 'The integrations of the workspace',
  allow: 'integrations:read',
  query: Type.Object({
    ...pageQuery,
    type: Type.Optional(Type.String({ minLength: 1, maxLength: 50 })),
    health: Type.Optional(HealthStatus),
    search: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Text in the name, in upper or lower case.' })),
  }),
  replies: { 200: pageOf(Integration) },
  handler: async (ctx, { query }) => {
    const { limit, order, total, cursor: _, ...filter } = query
    const [rows, counted] = await Promise.all([
      integrations.list(ctx, filter, { after: byId.after(query), limit: limit + 1, descending: order === 'desc' }),
      total === true ? integrations.count(ctx, filter) : undefined,
    ])
    return byId.page(rows, limit, ({ id }) => id, counted)
  },
})

export const getIntegration = route({
  method: 'GET',
  path: '/users/integrations/{id}',
  summary: 'An integration, without its credentials',
  allow: 'integrations:read',
  etag: true,
  params,
  replies: { 200: Integration },
  errors: [errors.not_found],
  handler: (ctx, { params: { id } }) => integrations.get(ctx, id),
})

export const putIntegration = route({
  method: 'PUT',
  path: '/users/integrations/{id}',
  summary: 'Change an integration',
  description:
    'A field that is given replaces the stored one; of `credentials` only those that are given change. Where stored credentials would go to another address, all of them have to be given.',
  allow: 'integrations:write',
  etag: true,
  needs_if_match: true,
  params,
  body: IntegrationChange,
  body_limit_bytes,
  replies: { 200: Integration },
  errors: [errors.not_found, errors.credentials_required, httpErrors.precondition_failed, httpErrors.precondition_required],
  handler: (ctx, { params: { id }, body, request }) => integrations.update(ctx, id, body, request.if_match),
})

export const deleteIntegration = route({
  method: 'DELETE',
  path: '/users/integrations/{id}',
  summary: 'Remove an integration and its credentials',
  description: 'Refused while published workflows use it, unless `force` is set: then their steps fail with `integrations.missing`.',
  allow: 'integrations:write',
  params,
  query: Type.Object({ force: Type.Optional(Type.Boolean()) }),
  replies: { 204: Type.Null() },
  errors: [errors.not_found, errors.in_use, httpErrors.precondition_failed],
  handler: async (ctx, { params: { id }, query, request }) => {
    await integrations.remove(ctx, id, query.force === true, request.if_match)
    return null
  },
})

export const testIntegration = route({
  method: 'POST',
  path: '/users/integrations/{id}/test',
  summary: 'Try whether an integration works',
  description: 'Makes the cheapest call of the service, and keeps what came of it as the health of the integration.',
  allow: 'integrations:write',
  params,
  replies: { 200: TestResult },
  errors: [errors.not_found],
  limits: [{ name: 'integration-test', quota: 30, window_s: 60, per: 'user' }],
  handler: (ctx, { params: { id } }) => health.test(ctx, id),
})
