import { createHash } from 'node:crypto'
import { httpErrors } from './errors.ts'
import { methodsOf, patternOf } from './methods.ts'
import { errorsOf, problemReplies, problemSchema, rateLimits, rawErrors, securitySchemes } from './openapi-problems.ts'
import type { Permissions } from '../permissions.ts'
import type { Quotas } from './quota.ts'
import { isRaw, type OrdinaryRoute, type RawRoute, type Route } from './route.ts'
import { type JsonSchema, strict } from './strict.ts'

export interface OpenApiInput {
  readonly version: string
  readonly public_url: string
  readonly routes: readonly { readonly route: Route; readonly tag: string }[]
  readonly permissions: Permissions
  readonly quotas: Quotas | null
}

type Document = { readonly [member: string]: unknown }

/** The OpenAPI 3.1 document of the routes: the same routes give the same text, byte for byte. */
export const openApiOf = (input: OpenApiInput): Document => {
  const schemas = new Map<string, JsonSchema>([['Problem', problemSchema]])
  const paths = new Map<string, Map<string, Document>>()
  for (const { route, tag } of input.routes) {
    const path = patternOf(route)
      .replaceAll(/:(\w+)/g, '{$1}')
      .replace(/\*$/, '{rest}')
    const item = paths.get(path) ?? new Map<string, Document>()
    paths.set(path, item)
    const methods = isRaw(route) ? route.methods : [route.method]
    for (const method of methods) {
      // HEAD goes with every GET, and OPTIONS with every path.
      if ((method === 'HEAD' && methodsOf(route).includes('GET')) || method === 'OPTIONS') continue
      item.set(method.toLowerCase(), operationOf(input, route, method, path, tag, schemas))
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version: input.version,
      description:
        'The HTTP API of this installation. Errors are problem documents (RFC 9457) with a stable `code`; lists page by `cursor`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: input.public_url }],
    tags: [...new Set(input.routes.map(({ tag }) => tag))].toSorted().map((name) => ({ name })),
    paths: sorted(paths, (item) => sorted(item, (operation) => operation)),
    components: { schemas: sorted(schemas, (schema) => schema), securitySchemes, parameters: headerParameters },
  }
}

const sorted = <Value, Out>(entries: ReadonlyMap<string, Value>, change: (value: Value) => Out): { readonly [name: string]: Out } =>
  Object.fromEntries([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, change(value)]))

const operationOf = (
  input: OpenApiInput,
  route: Route,
  method: string,
  path: string,
  tag: string,
  schemas: Map<string, JsonSchema>,
): Document => {
  const common = {
    operationId: operationId(method, path),
    tags: [tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
  }
  if (isRaw(route)) {
    return {
      ...common,
      security: [],
      parameters: [
        ...pathParameters(path, undefined),
        ...(route.idempotent === true && method !== 'GET' ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
      ],
      responses: merged(rawReplies(route, schemas), problemReplies(rawErrors(route))),
    }
  }
  const parameters = [
    ...pathParameters(path, route.params as JsonSchema | undefined),
    ...queryParameters(route.query as JsonSchema | undefined),
    ...headersOf(route),
  ]
  return {
    ...common,
    security: route.allow === 'public' ? [] : [{ bearer: [] }, { api_key: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: isRequired(withoutDefaulted(plain(route.body))),
            content: { 'application/json': { schema: named(strict(withoutDefaulted(plain(route.body))), schemas) } },
          },
        }),
    responses: merged(repliesOf(route, schemas), problemReplies(errorsOf(route))),
    ...(route.allow === 'public' ? {} : { 'x-permission': permissionOf(input.permissions, route.allow) }),
    'x-rate-limits': rateLimits(route, input.quotas),
  }
}

const permissionOf = (permissions: Permissions, name: string): object => {
  const permission = permissions.get(name)
  return permission === undefined
    ? { name }
    : {
        name,
        session_only: permission.session_only,
        roles: [...permission.system_roles],
        workspace_roles: [...permission.workspace_roles],
      }
}

/** `POST /api/v1/workflows/{id}/publish` is `postWorkflowsByIdPublish`. */
const operationId = (method: string, path: string): string => {
  const words = path
    .replace(/^\/api\/v1/, '')
    .split('/')
    .filter((segment) => segment !== '')
  const named = words.map((segment) => (segment.startsWith('{') ? `By${capital(segment.slice(1, -1))}` : capital(segment)))
  return `${method.toLowerCase()}${named.join('')}`
}

const capital = (text: string): string =>
  text
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')

/** TypeBox keeps notes of its own on a schema that are no part of it. */
const plain = (schema: unknown): JsonSchema => JSON.parse(JSON.stringify(schema)) as JsonSchema

/** A schema with a title becomes a component, if no other one has that title; everywhere below too. */
const named = (schema: JsonSchema, schemas: Map<string, JsonSchema>): JsonSchema => {
  const inner = Object.fromEntries(Object.entries(schema).map(([keyword, value]) => [keyword, namedWithin(keyword, value, schemas)]))
  const { title } = inner
  if (typeof title !== 'string' || inner['type'] !== 'object') return inner
  const name = title.replaceAll(/[^A-Za-z0-9_.-]/g, '')
  const known = schemas.get(name)
  if (known !== undefined && digest(known) !== digest(inner)) return inner
  schemas.set(name, inner)
  return { $ref: `#/components/schemas/${name}` }
}

const namedWithin = (keyword: string, value: unknown, schemas: Map<string, JsonSchema>): unknown => {
  // These hold values, not schemas.
  if (keyword === 'default' || keyword === 'const' || keyword === 'enum' || keyword === 'examples') return value
  if (Array.isArray(value))
    return value.map((item: unknown) => (typeof item === 'object' && item !== null ? named(item as JsonSchema, schemas) : item))
  if (typeof value !== 'object' || value === null) return value
  if (keyword !== 'properties' && keyword !== 'patternProperties' && keyword !== '$defs') return named(value as JsonSchema, schemas)
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, named(part as JsonSchema, schemas)]))
}

const digest = (schema: JsonSchema): string => createHash('sha256').update(JSON.stringify(schema)).digest('hex')

/** What has a default may be left out. */
const withoutDefaulted = (schema: JsonSchema): JsonSchema => {
  const { required, properties } = schema as {
    readonly required?: readonly string[]
    readonly properties?: { readonly [name: string]: JsonSchema }
  }
  if (required === undefined || properties === undefined) return schema
  return { ...schema, required: required.filter((name) => !('default' in (properties[name] ?? {}))) }
}

const isRequired = (schema: JsonSchema): boolean =>
  schema['type'] !== 'object' || ((schema['required'] as readonly string[] | undefined) ?? []).length > 0

const pathParameters = (path: string, params: JsonSchema | undefined): readonly Document[] => {
  const known = params === undefined ? {} : (plain(params)['properties'] as { readonly [name: string]: JsonSchema })
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => parameter('path', name, known[name] ?? { type: 'string' }, true))
}

const queryParameters = (query: JsonSchema | undefined): readonly Document[] => {
  if (query === undefined) return []
  const { properties, required } = plain(query) as {
    readonly properties: { readonly [name: string]: JsonSchema }
    readonly required?: readonly string[]
  }
  return Object.entries(properties).map(([name, schema]) =>
    parameter('query', name, schema, (required ?? []).includes(name) && !('default' in schema)),
  )
}

const parameter = (place: string, name: string, schema: JsonSchema, required: boolean): Document => {
  const { description, ...rest } = schema
  return { name, in: place, required, ...(description === undefined ? {} : { description }), schema: rest }
}

const header = (name: string, description: string, required = false): Document => ({
  name,
  in: 'header',
  required,
  description,
  schema: { type: 'string' },
})

const headerParameters = {
  IdempotencyKey: header(
    'Idempotency-Key',
    'A key of your own making: a repetition within 24 hours gets the stored reply and does nothing again.',
  ),
  IfMatch: header('If-Match', 'The `ETag` of the object as you last read it: 412 when it has changed since.'),
  IfMatchNeeded: header(
    'If-Match',
    'The `ETag` of the object as you last read it: 412 when it has changed since, 428 when it is missing.',
    true,
  ),
  IfNoneMatch: header('If-None-Match', 'An `ETag`: 304 when the object still has it.'),
  WorkspaceId: {
    ...header('X-Workspace-Id', "Another workspace of the caller than the token's own."),
    schema: { type: 'string', format: 'uuid' },
  },
}

const honoursIfMatch = ({ method, etag, errors = [] }: OrdinaryRoute): boolean =>
  errors.some(({ code }) => code === httpErrors.precondition_failed.code) || (etag === true && method !== 'GET' && method !== 'POST')

const headersOf = (route: OrdinaryRoute): readonly Document[] => {
  const names: (keyof typeof headerParameters)[] = []
  if (route.allow !== 'public') names.push('WorkspaceId')
  if (route.idempotent !== undefined) names.push('IdempotencyKey')
  if (route.needs_if_match === true) names.push('IfMatchNeeded')
  else if (honoursIfMatch(route)) names.push('IfMatch')
  if (route.etag === true && route.method === 'GET') names.push('IfNoneMatch')
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }))
}

interface Described {
  readonly description?: string
  readonly content?: Document
}

/** One status may carry a reply of the route's own as well as a problem. */
const merged = (replies: Document, problems: Document): Document =>
  Object.fromEntries(
    [...new Set([...Object.keys(replies), ...Object.keys(problems)])].map((status) => {
      const reply = (replies[status] ?? {}) as Described
      const problem = (problems[status] ?? {}) as Described
      if (reply.content === undefined || problem.content === undefined) return [status, { ...reply, ...problem }]
      const description = `${reply.description}\n\n${problem.description}`
      return [status, { ...reply, description, content: { ...reply.content, ...problem.content } }]
    }),
  )

const repliesOf = (route: OrdinaryRoute, schemas: Map<string, JsonSchema>): Document =>
  Object.fromEntries(
    Object.entries({ ...(route.etag === true && route.method === 'GET' ? { 304: {} } : {}), ...route.replies }).map(([status, schema]) => {
      const description = statusWords[status] ?? 'Done.'
      if (status === '204' || status === '304') return [status, { description }]
      const headers =
        route.etag === true && status.startsWith('2')
          ? { headers: { ETag: { description: 'The revision of the object.', schema: { type: 'string' } } } }
          : {}
      const types = route.streams ?? ['application/json']
      const content = Object.fromEntries(types.map((type) => [type, { schema: named(plain(schema), schemas) }]))
      return [status, { description, ...headers, content }]
    }),
  )

const statusWords: { readonly [status: string]: string | undefined } = {
  200: 'Done.',
  201: 'Created.',
  202: 'Accepted; it goes on.',
  204: 'Done; there is nothing to say.',
  304: 'It is as it was.',
}

const rawReplies = (route: RawRoute, schemas: Map<string, JsonSchema>): Document =>
  Object.fromEntries(
    Object.entries(route.replies).map(([status, { description, content_type, schema }]) => [
      status,
      {
        description,
        ...(content_type === undefined
          ? {}
          : { content: { [content_type]: schema === undefined ? {} : { schema: named(plain(schema), schemas) } } }),
      },
    ]),
  )
