import { Type } from 'typebox'
import { httpErrors } from '../../platform/http/errors.ts'
import { keyset, pageOf, pageQuery } from '../../platform/http/paging.ts'
import { reply, route } from '../../platform/http/route.ts'
import { errors } from './errors.ts'
import * as publishing from './publish.ts'
import * as reference from './reference.ts'
import {
  body_limit_bytes,
  Id,
  NewVersion,
  NewWorkflow,
  Problems,
  Status,
  Version,
  VersionSummary,
  Workflow,
  WorkflowChange,
  WorkflowSummary,
} from './schema.ts'
import * as workflows from './workflows.ts'

const params = Type.Object({ id: Id })
const VersionParams = Type.Object({ id: Id, version: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }) })

const byId = keyset(Id)
const byVersion = keyset(Type.Integer())

export const createWorkflow = route({
  method: 'POST',
  path: '/workflows',
  summary: 'Make a workflow',
  description: 'It begins as a draft, which may be incomplete: `POST /workflows/{id}/check` says what is missing.',
  allow: 'workflows:write',
  idempotent: true,
  etag: true,
  body: NewWorkflow,
  body_limit_bytes,
  replies: { 201: Workflow },
  errors: [errors.definition_too_large],
  handler: async (ctx, { body }) => {
    const workflow = await workflows.create(ctx, body)
    return reply({ status: 201, body: workflow, headers: { location: `/api/v1/workflows/${workflow.id}` } })
  },
})

export const listWorkflows = route({
  method: 'GET',
  path: '/workflows',
  summary: 'The workflows of the workspace',
  description: 'In the order they were made, without their definitions.',
  allow: 'workflows:read',
  query: Type.Object({
    ...pageQuery,
    status: Type.Optional(Status),
    tag: Type.Optional(Type.String({ minLength: 1, maxLength: 50 })),
    search: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Text in the name or the description, in upper or lower case.' }),
    ),
  }),
  replies: { 200: pageOf(WorkflowSummary) },
  handler: async (ctx, { query }) => {
    const { limit, order, total, cursor: _, ...filter } = query
    const after = byId.after(query)
    const [rows, counted] = await Promise.all([
      workflows.list(ctx, filter, { after, limit: limit + 1, descending: order === 'desc' }),
      total === true ? workflows.count(ctx, filter) : undefined,
    ])
    return byId.page(rows, limit, ({ id }) => id, counted)
  },
})

export const getWorkflow = route({
  method: 'GET',
  path: '/workflows/{id}',
  summary: 'A workflow with its draft',
  allow: 'workflows:read',
  etag: true,
  params,
  replies: { 200: Workflow },
  errors: [errors.not_found],
  handler: (ctx, { params: { id } }) => workflows.get(ctx, id),
})

export const putWorkflow = route({
  method: 'PUT',
  path: '/workflows/{id}',
  summary: 'Change the draft',
  description: 'A field that is given replaces the stored one whole; a field that is not given stays. What is published stays as it is.',
  allow: 'workflows:write',
  etag: true,
  needs_if_match: true,
  params,
  body: WorkflowChange,
  body_limit_bytes,
  replies: { 200: Workflow },
  errors: [
    errors.not_found,
    errors.wrong_status,
    errors.definition_too_large,
    httpErrors.precondition_failed,
    httpErrors.precondition_required,
  ],
  handler: (ctx, { params: { id }, body, request }) => workflows.update(ctx, id, body, request.if_match),
})

export const deleteWorkflow = route({
  method: 'DELETE',
  path: '/workflows/{id}',
  summary: 'Remove a workflow and its versions',
  description: 'What it has started goes on. Its executions can be read until their retention is over.',
  allow: 'workflows:write',
  params,
  replies: { 204: Type.Null() },
  errors: [errors.not_found, httpErrors.precondition_failed],
  handler: async (ctx, { params: { id }, request }) => {
    await workflows.remove(ctx, id, request.if_match)
    return null
  },
})

export const checkWorkflow = route({
  method: 'POST',
  path: '/workflows/{id}/check',
  summary: 'Every mistake of the draft',
  allow: 'workflows:read',
  params,
  replies: { 200: Problems },
  errors: [errors.not_found, httpErrors.precondition_failed],
  handler: (ctx, { params: { id }, request }) => publishing.check(ctx, id, request.if_match),
})

export const publishWorkflow = route({
  method: 'POST',
  path: '/workflows/{id}/publish',
  summary: 'Make the draft the next version',
  description:
    'The workflow becomes active and its webhooks listen. Refused with every mistake of the draft when it has any, and with the results of its tests ' +
    'where one fails.',
  allow: 'workflows:write',
  idempotent: 'claimed',
  params,
  query: Type.Object({
    skip_tests: Type.Optional(
      Type.Boolean({ default: false, description: 'Publishes without running the tests of the draft; the event says so.' }),
    ),
  }),
  body: NewVersion,
  replies: { 201: Version },
  errors: [
    errors.not_found,
    errors.wrong_status,
    errors.not_publishable,
    errors.tests_failed,
    errors.draft_changed,
    errors.webhook_path_taken,
    httpErrors.precondition_failed,
  ],
  handler: async (ctx, { params: { id }, query, body, request }) => {
    const version = await publishing.publish(ctx, id, { ...body, ...query }, request.if_match)
    return reply({ status: 201, body: version, headers: { location: `/api/v1/workflows/${id}/versions/${version.version}` } })
  },
})

export const listVersions = route({
  method: 'GET',
  path: '/workflows/{id}/versions',
  summary: 'The published versions of a workflow',
  description: 'Without their definitions.',
  allow: 'workflows:read',
  params,
  query: Type.Object(pageQuery),
  replies: { 200: pageOf(VersionSummary) },
  errors: [errors.not_found],
  handler: async (ctx, { params: { id }, query }) => {
    const { limit, order, total } = query
    const [rows, counted] = await Promise.all([
      publishing.listVersions(ctx, id, { after: byVersion.after(query), limit: limit + 1, descending: order === 'desc' }),
      total === true ? publishing.countVersions(ctx, id) : undefined,
    ])
    return byVersion.page(rows, limit, ({ version }) => version, counted)
  },
})

export const getVersion = route({
  method: 'GET',
  path: '/workflows/{id}/versions/{version}',
  summary: 'A published version',
  allow: 'workflows:read',
  etag: true,
  params: VersionParams,
  replies: { 200: Version },
  errors: [errors.not_found, errors.version_not_found],
  handler: (ctx, { params: { id, version } }) => publishing.version(ctx, id, version),
})

export const restoreVersion = route({
  method: 'POST',
  path: '/workflows/{id}/versions/{version}/restore',
  summary: 'Make the draft what a version was',
  description: 'What is published stays as it is; publish the draft to go back.',
  allow: 'workflows:write',
  idempotent: true,
  etag: true,
  params: VersionParams,
  replies: { 200: Workflow },
  errors: [errors.not_found, errors.version_not_found, errors.wrong_status, httpErrors.precondition_failed],
  handler: (ctx, { params: { id, version }, request }) => publishing.restore(ctx, id, version, request.if_match),
})

export const pauseWorkflow = route({
  method: 'POST',
  path: '/workflows/{id}/pause',
  summary: 'Start no more executions',
  description: 'What runs goes on. Webhooks answer 404 and keep their addresses.',
  allow: 'workflows:write',
  etag: true,
  params,
  replies: { 200: Workflow },
  errors: [errors.not_found, errors.wrong_status, httpErrors.precondition_failed],
  handler: (ctx, { params: { id }, request }) => workflows.pause(ctx, id, request.if_match),
})

export const resumeWorkflow = route({
  method: 'POST',
  path: '/workflows/{id}/resume',
  summary: 'Make a paused workflow active again',
  allow: 'workflows:write',
  etag: true,
  params,
  replies: { 200: Workflow },
  errors: [errors.not_found, errors.wrong_status, httpErrors.precondition_failed],
  handler: (ctx, { params: { id }, request }) => workflows.resume(ctx, id, request.if_match),
})

export const archiveWorkflow = route({
  method: 'POST',
  path: '/workflows/{id}/archive',
  summary: 'Put a workflow away for good',
  description: 'It can be read and removed. Its webhook addresses are free for other workflows.',
  allow: 'workflows:write',
  etag: true,
  params,
  replies: { 200: Workflow },
  errors: [errors.not_found, httpErrors.precondition_failed],
  handler: (ctx, { params: { id }, request }) => workflows.archive(ctx, id, request.if_match),
})

export const listNodeTypes = route({
  method: 'GET',
  path: '/workflows/node-types',
  summary: 'Every node type, as data',
  allow: 'workflows:read',
  query: Type.Object(reference.nodeTypesQuery),
  replies: { 200: reference.NodeTypes },
  handler: (ctx, { query }) => reference.nodeTypesOf(ctx, query),
})

export const getDefinitionSchema = route({
  method: 'GET',
  path: '/workflows/definition.schema.json',
  summary: 'JSON Schema of a definition',
  allow: 'public',
  replies: { 200: reference.JsonSchema },
  handler: (ctx) => reference.definitionSchema(ctx),
})
