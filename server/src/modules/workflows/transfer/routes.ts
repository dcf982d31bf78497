import { Type } from 'typebox'
import type { JsonObject } from '../../../lib/json.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import { exportServerless, exportWorkflow as exportFile, fileName } from './export.ts'
import * as importing from './import.ts'
import { ExportedFile, Imported, import_limit_bytes, Tried } from './schema.ts'

export const exportWorkflow = route({
  method: 'GET',
  path: '/workflows/{id}/export',
  summary: 'A workflow as a file',
  description:
    'The draft or, with `version`, a published one. `POST /workflows/import` makes the same workflow of it, here or elsewhere. `format=serverless-workflow` gives a document for other engines, of what can be written in nested blocks.',
  allow: 'workflows:read',
  params: Type.Object({ id: Id }),
  query: Type.Object({
    version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647 })),
    format: Type.Optional(
      Type.Union([Type.Literal('millrace'), Type.Literal('serverless-workflow')], {
        description: 'The own format, which loses nothing, when not given.',
      }),
    ),
  }),
  replies: { 200: ExportedFile },
  errors: [errors.not_found, errors.version_not_found, errors.not_structured, errors.not_publishable],
  handler: async (ctx, { params: { id }, query: { version, format } }) => {
    const attached = (body: object, file: string) =>
      reply({ status: 200, body: body as JsonObject, headers: { 'content-disposition': `attachment; filename="${file}"` } })
    if (format === 'serverless-workflow') {
      const { name, document } = await exportServerless(ctx, id, version)
      return attached(document, fileName(name, 'serverless.json'))
    }
    const body = await exportFile(ctx, id, version)
    return attached(body, fileName(body.name, 'millrace.json'))
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
