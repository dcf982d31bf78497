import { Type } from 'typebox'
import { route } from '../../platform/http/route.ts'
import { pageOf, PageQuery } from '../../platform/http/paging.ts'
import { errors } from './errors.ts'
import { Workspace } from './schema.ts'
import * as workspaces from './workspaces.ts'

const Id = Type.String({ format: 'uuid' })

export const listWorkspaces = route({
  method: 'GET',
  path: '/workspaces',
  summary: 'The workspaces you belong to',
  description: 'Ordered by when they were made.',
  allow: 'account:read',
  query: PageQuery,
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
