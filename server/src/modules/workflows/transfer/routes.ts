import { Type } from 'typebox'
import type { JsonObject } from '../../../lib/json.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import { exportWorkflow as exportFile, fileName } from './export.ts'
import * as importing from './import.ts'
import { ExportedFile, Imported, import_limit_bytes, Tried } from './schema.ts'

export const exportWorkflow = route({
  method: 'GET',
  path: '/workflows/{id}/export',
  summary: 'A workflow as a file',
  description: 'The draft or, with `version`, a published one. `POST /workflows/import` makes the same workflow of it, here or elsewhere.',
  allow: 'workflows:read',
  params: Type.Object({ id: Id }),
  query: Type.Object({ version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647 })) }),
  replies: { 200: ExportedFile },
  errors: [errors.not_found, errors.version_not_found],
  handler: async (ctx, { params: { id }, query: { version } }) => {
    const body = await exportFile(ctx, id, version)
    const file = fileName(body.name, 'millrace.json')
    return reply({ status: 200, body, headers: { 'content-disposition': `attachment; filename="${file}"` } })
  },
})

export const importWorkflow = route({
  method: 'POST',
  path: '/workflows/import',
  summary: 'Make a workflow of a file',
  description:
    'A file of `GET /workflows/{id}/export`, or a workflow that was exported from n8n. It becomes a draft; the report says what of it this workspace lacks and, of n8n, what has become of each node and expression.',
  allow: 'workflows:write',
  idempotent: true,
  query: Type.Object({ dry_run: Type.Optional(Type.Boolean({ description: 'Make nothing: answer with what would become of the file.' })) }),
  body: Type.Unsafe<JsonObject>({ type: 'object', description: 'The file, as it is.' }),
  body_limit_bytes: import_limit_bytes,
  replies: { 200: Tried, 201: Imported },
  errors: [errors.file_unreadable, errors.definition_too_large],
  handler: async (ctx, { body, query: { dry_run } }) => {
    if (dry_run === true) return reply({ status: 200, body: await importing.tryImport(ctx, body) })
    const imported = await importing.importWorkflow(ctx, body)
    return reply({ status: 201, body: imported, headers: { location: `/api/v1/workflows/${imported.workflow.id}` } })
  },
})
