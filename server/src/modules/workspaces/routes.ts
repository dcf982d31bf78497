import { Type } from 'typebox'
import { route } from '../../platform/http/route.ts'
import { pageOf, pageQuery } from '../../platform/http/paging.ts'
import { errors as planErrors } from '../plans/errors.ts'
import { errors } from './errors.ts'
import { NewWorkspace, Workspace, WorkspaceChange } from './schema.ts'
import * as workspaces from './workspaces.ts'

const Id = Type.String({ format: 'uuid' })

export const createWorkspace = route({
  method: 'POST',
  path: '/workspaces',
  summary: 'Make a workspace',
  description: 'You become its owner.',
  allow: 'workspaces:create',
  body: NewWorkspace,
  replies: { 201: Workspace },
  etag: true,
  idempotent: 'claimed',
  errors: [errors.slug_taken, planErrors.limit_reached],
  limits: [{ name: 'workspaces', quota: 30, window_s: 3_600, per: 'user' }],
  handler: (ctx, { body }) => workspaces.create(ctx, body),
})

export const listWorkspaces = route({
  method: 'GET',
  path: '/workspaces',
  summary: 'The workspaces you belong to',
  description: 'Ordered by when they were made.',
  allow: 'account:read',
  query: Type.Object({
    ...pageQuery,
    deleted: Type.Optional(Type.Boolean({ description: 'Instead those that were deleted, that you own and that can still be restored.' })),
  }),
  replies: { 200: pageOf(Workspace) },
  handler: (ctx, { query }) => workspaces.list(ctx, query),
})

export const getWorkspace = route({
  method: 'GET',
  path: '/workspaces/{id}',
  summary: 'One of your workspaces',
  allow: 'workspace:read',
  workspace: 'id',
  etag: true,
  params: Type.Object({ id: Id }),
  replies: { 200: Workspace },
  errors: [errors.not_found],
  handler: (ctx, { params }) => workspaces.get(ctx, params.id),
})

export const putWorkspace = route({
  method: 'PUT',
  path: '/workspaces/{id}',
  summary: 'Change the name or the slug of a workspace',
  description:
    'A field that is not given stays. Webhook addresses with the old slug go on working, and no other workspace can take it; a workspace has at most ten slugs in its life.',
  allow: 'workspace:manage',
  workspace: 'id',
  etag: true,
  params: Type.Object({ id: Id }),
  body: WorkspaceChange,
  replies: { 200: Workspace },
  errors: [errors.not_found, errors.slug_taken, errors.too_many_slugs],
  handler: (ctx, { body, request }) => workspaces.update(ctx, body, request.if_match),
})
