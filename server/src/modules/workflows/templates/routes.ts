import { Type } from 'typebox'
import { httpErrors } from '../../../platform/http/errors.ts'
import { keyset, pageOf, pageQuery } from '../../../platform/http/paging.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { body_limit_bytes, Id, Workflow } from '../schema.ts'
import { SaveAsTemplate, Template, TemplateChange, TemplateId, TemplateSummary, UseTemplate } from './schema.ts'
import * as templates from './templates.ts'

const params = Type.Object({ id: TemplateId })
const byId = keyset(TemplateId)

export const listTemplates = route({
  method: 'GET',
  path: '/workflows/templates',
  summary: 'Templates that workflows are begun from',
  description: 'Those that come with the product, then those of the workspace; without their definitions.',
  allow: 'workflows:read',
  query: Type.Object({
    ...pageQuery,
    order: Type.Union([Type.Literal('asc'), Type.Literal('desc')], { default: 'asc', description: 'The other way round with `desc`.' }),
    category: Type.Optional(Type.String({ minLength: 1, maxLength: 50 })),
    search: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Text in the title or the description, in upper or lower case.' }),
    ),
  }),
  replies: { 200: pageOf(TemplateSummary) },
  handler: async (ctx, { query }) => {
    const { limit, order, total, cursor: _, ...filter } = query
    const after = byId.after(query)
    const [rows, counted] = await Promise.all([
      templates.list(ctx, filter, { after, limit: limit + 1, descending: order === 'desc' }),
      total === true ? templates.count(ctx, filter) : undefined,
    ])
    return byId.page(rows, limit, ({ id }) => id, counted)
  },
})

export const getTemplate = route({
  method: 'GET',
  path: '/workflows/templates/{id}',
  summary: 'A template with its definition',
  allow: 'workflows:read',
  etag: true,
  params,
  replies: { 200: Template },
  errors: [errors.template_not_found],
  handler: (ctx, { params: { id } }) => templates.get(ctx, id),
})

export const useTemplate = route({
  method: 'POST',
  path: '/workflows/templates/{id}/use',
  summary: 'Begin a workflow from a template',
  description: 'It is a draft with the values filled in. A parameter without a default needs one.',
  allow: 'workflows:write',
  idempotent: true,
  etag: true,
  params,
  body: UseTemplate,
  replies: { 201: Workflow },
  errors: [errors.template_not_found, errors.definition_too_large],
  handler: async (ctx, { params: { id }, body }) => {
    const workflow = await templates.use(ctx, id, body)
    return reply({ status: 201, body: workflow, headers: { location: `/api/v1/workflows/${workflow.id}` } })
  },
})

export const saveAsTemplate = route({
  method: 'POST',
  path: '/workflows/{id}/save-as-template',
  summary: 'Keep the draft as a template of the workspace',
  description:
    'Ids of integrations, secrets and other workflows become parameters, and so does what `parameters` points at. Pinned data stays behind.',
  allow: 'workflows:write',
  idempotent: true,
  etag: true,
  params: Type.Object({ id: Id }),
  body: SaveAsTemplate,
  replies: { 201: Template },
  errors: [errors.not_found, errors.too_many_templates, errors.definition_too_large, httpErrors.precondition_failed],
  handler: async (ctx, { params: { id }, body, request }) => {
    const template = await templates.save(ctx, id, body, request.if_match)
    return reply({ status: 201, body: template, headers: { location: `/api/v1/workflows/templates/${template.id}` } })
  },
})

export const putTemplate = route({
  method: 'PUT',
  path: '/workflows/templates/{id}',
  summary: 'Change a template of the workspace',
  description:
    'A field that is given replaces the stored one whole; a field that is not given stays. What was made from it stays as it is.',
  allow: 'workflows:write',
  etag: true,
  needs_if_match: true,
  params,
  body: TemplateChange,
  body_limit_bytes,
  replies: { 200: Template },
  errors: [
    errors.template_not_found,
    errors.template_built_in,
    errors.definition_too_large,
    httpErrors.precondition_failed,
    httpErrors.precondition_required,
  ],
  handler: (ctx, { params: { id }, body, request }) => templates.update(ctx, id, body, request.if_match),
})

export const deleteTemplate = route({
  method: 'DELETE',
  path: '/workflows/templates/{id}',
  summary: 'Remove a template of the workspace',
  description: 'What was made from it stays.',
  allow: 'workflows:write',
  params,
  replies: { 204: Type.Null() },
  errors: [errors.template_not_found, errors.template_built_in, httpErrors.precondition_failed],
  handler: async (ctx, { params: { id }, request }) => {
    await templates.remove(ctx, id, request.if_match)
    return null
  },
})
