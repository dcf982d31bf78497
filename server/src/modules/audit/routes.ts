import { type Static, Type } from 'typebox'
import { keyset, type Page, pageOf, pageQuery } from '../../platform/http/paging.ts'
import { route, type Streamed, streamed } from '../../platform/http/route.ts'
import type { Ctx } from '../../platform/context.ts'
import * as audit from './audit.ts'
import type { Asked } from './audit.ts'
import { csv, ndjson } from './export.ts'
import { Activity, Entry, everywhere, exportQuery, type Filter, filters, type Format, listQuery } from './schema.ts'

const bySeq = keyset(Type.Integer())
const byId = keyset(Type.String({ format: 'uuid' }))

const ListQuery = Type.Object(listQuery)

const listed = async (ctx: Ctx, asked: Asked, query: Static<typeof ListQuery>): Promise<Page<Entry>> => {
  const { limit, order, total } = query
  const page = { limit: limit + 1, descending: order === 'desc' }
  const counting = total === true ? audit.count(ctx, asked) : undefined
  if (audit.isOneChain(asked)) {
    const [rows, counted] = await Promise.all([audit.list(ctx, asked, { ...page, after: bySeq.after(query) }), counting])
    return bySeq.page(rows, limit, ({ seq }) => seq, counted)
  }
  const [rows, counted] = await Promise.all([audit.list(ctx, asked, { ...page, after: byId.after(query) }), counting])
  return byId.page(rows, limit, ({ id }) => id, counted)
}

const filterOf = ({ actor_id, action, target_id, from, to, request_id }: Filter): Filter =>
  Object.fromEntries(Object.entries({ actor_id, action, target_id, from, to, request_id }).filter(([, value]) => value !== undefined))

export const getAudit = route({
  method: 'GET',
  path: '/audit',
  summary: 'Who did what in the workspace, when and from where',
  description: 'In the order of the chain, newest first unless `order` says otherwise. An entry appears within a second of what it tells.',
  allow: 'audit:read',
  query: ListQuery,
  replies: { 200: pageOf(Entry) },
  handler: (ctx, { query }) => listed(ctx, { of: 'workspace', filter: filterOf(query) }, query),
})

export const getAuditAll = route({
  method: 'GET',
  path: '/audit/all',
  summary: 'Who did what in all workspaces and in none',
  allow: 'audit:read_all',
  query: Type.Object({ ...listQuery, ...everywhere }),
  replies: { 200: pageOf(Entry) },
  handler: (ctx, { query }) => listed(ctx, { of: 'installation', workspace_id: query.workspace_id, filter: filterOf(query) }, query),
})

const download = (ctx: Ctx, asked: Asked, { format, order }: { readonly format: Format; readonly order: 'asc' | 'desc' }): Streamed => {
  const { content_type } = format === 'csv' ? csv : ndjson
  const day = new Date(ctx.now()).toISOString().slice(0, 10)
  return streamed({
    headers: { 'content-type': content_type, 'content-disposition': `attachment; filename="audit-${day}.${format}"` },
    parts: audit.exportEntries(ctx, asked, { format, descending: order === 'desc' }),
  })
}

const streams = ['text/csv', 'application/x-ndjson']

export const exportAudit = route({
  method: 'GET',
  path: '/audit/export',
  summary: 'The audit of the workspace as a file',
  description: 'All entries that the filters leave, oldest first unless `order` says otherwise. The export is itself entered.',
  allow: 'audit:read',
  query: Type.Object({ ...filters, ...exportQuery }),
  streams,
  replies: { 200: Type.String() },
  handler: (ctx, { query }) => download(ctx, { of: 'workspace', filter: filterOf(query) }, query),
})

export const exportAuditAll = route({
  method: 'GET',
  path: '/audit/all/export',
  summary: 'The audit of all workspaces and of none as a file',
  allow: 'audit:read_all',
  query: Type.Object({ ...filters, ...everywhere, ...exportQuery }),
  streams,
  replies: { 200: Type.String() },
  handler: (ctx, { query }) => download(ctx, { of: 'installation', workspace_id: query.workspace_id, filter: filterOf(query) }, query),
})

export const getActivity = route({
  method: 'GET',
  path: '/users/profile/activity',
  summary: 'What you did and what was done to you',
  description: 'In all workspaces, newest first unless `order` says otherwise. What changed is in the audit of the workspace.',
  allow: 'account:read',
  query: Type.Object(pageQuery),
  replies: { 200: pageOf(Activity) },
  handler: async (ctx, { query }) => {
    const { limit, order } = query
    const rows = await audit.activity(ctx, { after: byId.after(query), limit: limit + 1, descending: order === 'desc' })
    return byId.page(rows, limit, ({ id }) => id)
  },
})
