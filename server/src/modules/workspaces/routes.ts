import { Type } from 'typebox'
import { route } from '../../platform/http/route.ts'
import { pageOf, pageQuery } from '../../platform/http/paging.ts'
import { errors as planErrors } from '../plans/errors.ts'
import * as deletion from './deletion/deletion.ts'
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

export const deleteWorkspace = route({
  method: 'DELETE',
  path: '/workspaces/{id}',
  summary: 'Delete a workspace',
  description:
    'At once nobody reaches it any more, its webhooks answer 404 and nothing new starts; what is being executed goes on to its end. Until `purge_at` (`MILLRACE_WORKSPACE_GRACE_DAYS`) each owner can restore it: they find it under `GET /workspaces?deleted=true`. Then it is removed for good with all that is in it, except for the audit.',
  allow: 'workspace:own',
  workspace: 'id',
  etag: true,
  params: Type.Object({ id: Id }),
  replies: { 200: Workspace },
  errors: [errors.not_found, errors.personal],
  handler: (ctx, { request }) => deletion.remove(ctx, request.if_match),
})

export const restoreWorkspace = route({
  method: 'POST',
  path: '/workspaces/{id}/restore',
  summary: 'Restore a deleted workspace',
  description: 'For its owners, until `purge_at`. Everything is there again: members, invitations, workflows with their webhooks.',
  allow: 'workspaces:restore',
  etag: true,
  params: Type.Object({ id: Id }),
  replies: { 200: Workspace },
  errors: [errors.not_found, errors.not_deleted, planErrors.limit_reached],
  handler: (ctx, { params }) => deletion.restore(ctx, params.id),
})
