import { Type } from 'typebox'
import { route } from '../../platform/http/route.ts'
import { errors } from './errors.ts'
import { Workspace } from './schema.ts'
import * as workspaces from './workspaces.ts'

const Id = Type.String({ format: 'uuid' })

export const listWorkspaces = route({
  method: 'GET',
  path: '/workspaces',
  summary: 'The workspaces you belong to',
  description: 'In the order they were made.',
  allow: 'signed_in',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    cursor: Type.Optional(Type.String({ format: 'uuid', description: '`next_cursor` of the page before.' })),
    order: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')], { default: 'asc' })),
    total: Type.Optional(Type.Boolean()),
  }),
  replies: {
    200: Type.Object({ items: Type.Array(Workspace), next_cursor: Type.Union([Id, Type.Null()]), total: Type.Optional(Type.Integer()) }),
  },
  handler: async (ctx, { query }) => {
    const limit = query.limit ?? 50
    const [rows, total] = await Promise.all([
      workspaces.list(ctx, { after: query.cursor ?? null, limit: limit + 1, descending: query.order === 'desc' }),
      query.total === true ? workspaces.count(ctx) : undefined,
    ])
    const items = rows.slice(0, limit)
    return { items, next_cursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null, ...(total === undefined ? {} : { total }) }
  },
})

export const getWorkspace = route({
  method: 'GET',
  path: '/workspaces/{id}',
  summary: 'One of your workspaces',
  allow: 'signed_in',
  etag: true,
  params: Type.Object({ id: Id }),
  replies: { 200: Workspace },
  errors: [errors.not_found],
  handler: (ctx, { params }) => workspaces.get(ctx, params.id),
})
