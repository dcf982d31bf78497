import type { ErrorDeclaration } from '../errors.ts'
import { httpErrors, internalErrors } from './errors.ts'
import type { Quotas } from './quota.ts'
import type { OrdinaryRoute, RawRoute } from './route.ts'
import type { JsonSchema } from './strict.ts'

type Coded = { readonly code: string; readonly declaration: ErrorDeclaration }

export const rawErrors = (route: RawRoute): readonly Coded[] => [
  ...(route.errors ?? []),
  httpErrors.malformed_request,
  ...(route.methods.some((method) => method !== 'GET' && method !== 'HEAD') ? [httpErrors.body_too_large] : []),
  ...(route.never_shed === true ? [] : [httpErrors.overloaded]),
  internalErrors.unexpected,
]

/** What may go wrong on a route, beside what it declares itself. */
export const errorsOf = (route: OrdinaryRoute): readonly Coded[] => {
  const writes = route.method !== 'GET' && (route.method !== 'DELETE' || route.body !== undefined)
  return [
    ...(route.errors ?? []),
    httpErrors.malformed_request,
    ...(route.allow === 'public' ? [] : [httpErrors.unauthenticated]),
    ...(route.allow.includes(':') ? [httpErrors.forbidden] : []),
    ...(route.allow.includes(':') && !route.allow.startsWith('account:') ? [httpErrors.mfa_enrolment_required] : []),
    ...(writes ? [httpErrors.malformed_json, httpErrors.body_too_large, httpErrors.unsupported_media_type] : []),
    ...(route.idempotent === undefined
      ? []
      : [httpErrors.idempotency_key_invalid, httpErrors.idempotency_running, httpErrors.idempotency_mismatch]),
    ...(route.etag === true && writes ? [httpErrors.precondition_failed] : []),
    ...(route.needs_if_match === true ? [httpErrors.precondition_required] : []),
    httpErrors.validation_failed,
    ...(route.allow !== 'public' || (route.limits ?? []).length > 0 ? [httpErrors.rate_limited] : []),
    ...(route.never_shed === true ? [] : [httpErrors.overloaded]),
    internalErrors.unexpected,
  ]
}

export const problemReplies = (errors: readonly Coded[]): { readonly [status: string]: object } => {
  const statuses = [...new Set(errors.map(({ declaration }) => declaration.status))].toSorted((a, b) => a - b)
  return Object.fromEntries(
    statuses.map((status) => {
      const same = new Map(
        errors.filter(({ declaration }) => declaration.status === status).map((one) => [one.code, one.declaration.title]),
      )
      const description = [...same].map(([code, title]) => `\`${code}\`: ${title}.`).join('\n\n')
      return [
        String(status),
        { description, content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
      ]
    }),
  )
}

export const rateLimits = (route: OrdinaryRoute, quotas: Quotas | null): readonly object[] => [
  ...(route.limits ?? []).map(({ name, quota, window_s, per }) => ({ name, quota, window_s, per })),
  ...(route.allow === 'public' || quotas === null ? [] : [{ name: 'hour', quota_by_plan: quotas.described, window_s: 3_600, per: 'user' }]),
]

export const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token, or an API key.' },
  api_key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
}

export const problemSchema: JsonSchema = {
  type: 'object',
  title: 'Problem',
  description: 'RFC 9457. The members from `success` on repeat the rest for older clients.',
  required: [
    'type',
    'title',
    'status',
    'detail',
    'instance',
    'code',
    'request_id',
    'success',
    'error',
    'error_type',
    'status_code',
    'path',
    'method',
  ],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string', description: 'The same for every problem of this code.' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What happened this time.' },
    instance: { type: 'string', description: 'The path of the request.' },
    code: { type: 'string', description: 'Stable, as `http.validation_failed`.' },
    request_id: { type: 'string' },
    trace_id: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string', description: 'Dotted: `definition.nodes.2.id`.' }, message: { type: 'string' } },
      },
    },
    success: { const: false },
    error: { type: 'string' },
    error_type: { type: 'string' },
    status_code: { type: 'integer' },
    path: { type: 'string' },
    method: { type: 'string' },
  },
}
