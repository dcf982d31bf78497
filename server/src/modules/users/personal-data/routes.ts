import { Type } from 'typebox'
import { keyset, pageOf, PageQuery } from '../../../platform/http/paging.ts'
import { reply, route, streamed } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import * as exports from './export.ts'
import { PersonalExport } from './schema.ts'

const Id = Type.Object({ id: Type.String({ format: 'uuid' }) })
const byAge = keyset(Type.Tuple([Type.String({ format: 'uuid' })]))

export const requestExport = route({
  method: 'POST',
  path: '/users/profile/exports',
  summary: 'Ask for all that is known about you',
  description: 'Gathered in the background from every part of the product, and kept for a week. One at a time.',
  allow: 'account:security',
  replies: { 202: PersonalExport },
  errors: [errors.export_running],
  limits: [{ name: 'personal-export', quota: 10, window_s: 86_400, per: 'user' }],
  handler: async (ctx) => reply({ status: 202, body: await exports.requestExport(ctx) }),
})

export const listExports = route({
  method: 'GET',
  path: '/users/profile/exports',
  summary: 'Your exports of the last week',
  allow: 'account:security',
  query: PageQuery,
  replies: { 200: pageOf(PersonalExport) },
  handler: async (ctx, { query }) => byAge.pageOfAll(await exports.listExports(ctx), query, ({ id }) => [id]),
})

export const getExport = route({
  method: 'GET',
  path: '/users/profile/exports/{id}',
  summary: 'How far an export is',
  allow: 'account:security',
  params: Id,
  replies: { 200: PersonalExport },
  errors: [errors.export_not_found],
  handler: (ctx, { params }) => exports.getExport(ctx, params.id),
})

export const downloadExport = route({
  method: 'GET',
  path: '/users/profile/exports/{id}/download',
  summary: 'Download an export',
  description: 'One JSON object: `exported_at`, and under `data` a list for each part of the product.',
  allow: 'account:security',
  params: Id,
  replies: { 200: Type.Unknown() },
  errors: [errors.export_not_found, errors.export_running],
  handler: async (ctx, { params }) =>
    streamed({
      headers: { 'content-type': 'application/json', 'content-disposition': `attachment; filename="millrace-${params.id}.json"` },
      parts: await exports.download(ctx, params.id),
    }),
})
