import { Type, type Static } from 'typebox'
import { isJsonObject, type JsonObject } from '../../lib/json.ts'
import { Problem } from '../../platform/errors.ts'
import { outbound, type OutboundRequest, type OutboundResponse } from '../../platform/outbound/outbound.ts'
import { hops_header } from '../../platform/http/hops.ts'
import { effect, NodeFailure, type NodeIo } from '../node.ts'
import { accepts, answerBody, retryAfter, strictText } from './http-answer.ts'

const statusSet = '([1-5]xx|[1-5][0-9][0-9](-[1-5][0-9][0-9])?)'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

const Config = Type.Object(
  {
    method: Type.Unsafe<(typeof methods)[number]>({ type: 'string', format: 'literal', enum: [...methods] }),
    url: Type.String({ minLength: 1, maxLength: 16_384, description: 'http or https, of a public address.' }),
    headers: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'Text, numbers and true or false by name. `Idempotency-Key` and `User-Agent` are set when they are not given.',
      }),
    ),
    query: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'Added to the query of the URL; a list becomes one parameter per item.' }),
    ),
    body: Type.Optional(
      Type.Unknown({
        description:
          'Text is sent as it stands; anything else as JSON, or as a form when the content type is `application/x-www-form-urlencoded`.',
      }),
    ),
    integration_id: Type.Optional(
      Type.String({
        format: 'literal',
        pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
        description: 'The integration whose credential goes with the request. It is sent to the hosts of the integration alone.',
      }),
    ),
    timeout_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 300_000,
        default: 30_000,
        description: 'From the first packet to the last, redirects included.',
      }),
    ),
    max_bytes: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 33_554_432, default: 4_194_304, description: 'Of the answer, unpacked.' }),
    ),
    accept_status: Type.Optional(
      Type.String({
        format: 'literal',
        pattern: `^ *${statusSet}( *, *${statusSet})* *$`,
        default: '2xx',
        description: 'Statuses that count as success: `2xx`, `2xx,404`, `200-204`. Any other fails the step.',
      }),
    ),
  },
  { additionalProperties: false },
)
type Config = Static<typeof Config>

const Output = Type.Object({
  status: Type.Integer(),
  headers: Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.String())]), {
    description: 'Names in lower case; `set-cookie` is a list.',
  }),
  body: Type.Unknown({ description: 'JSON parsed, text as text, null when empty.' }),
  duration_ms: Type.Integer(),
})

const misconfigured = (message: string): NodeFailure => new NodeFailure({ code: 'http.bad_config', message })

const asText = (what: string, value: unknown): string => {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw misconfigured(`${what} must be text, a number or true or false`)
}

/** Name and value pairs of an object, lists spread, null left out. */
const pairs = (what: string, fields: JsonObject | undefined): [string, string][] =>
  Object.entries(fields ?? {}).flatMap(([name, value]) =>
    [value]
      .flat()
      .filter((item) => item !== null)
      .map((item): [string, string] => [name, asText(`${what} "${name}"`, item)]),
  )

/** The query is added behind the one of the URL, which stays as it was written: a signature may lie over it. */
const urlOf = (config: Config): string => {
  if (typeof config.url !== 'string') throw misconfigured('The URL must be text')
  const added = new URLSearchParams(pairs('Query parameter', config.query as JsonObject | undefined)).toString()
  if (added === '') return config.url
  const [rest = ''] = config.url.split('#', 1)
  return rest + (rest.endsWith('?') || rest.endsWith('&') ? '' : rest.includes('?') ? '&' : '?') + added
}

const bodyOf = (body: unknown, contentType: string | undefined): { body: string | null; type: string | null } => {
  if (body === undefined || body === null) return { body: null, type: null }
  if (typeof body === 'string') return { body, type: 'text/plain; charset=utf-8' }
  if (contentType?.toLowerCase().startsWith('application/x-www-form-urlencoded') === true) {
    if (!isJsonObject(body)) throw misconfigured('A form must be an object')
    return { body: new URLSearchParams(pairs('Form field', body)).toString(), type: null }
  }
  return { body: JSON.stringify(body), type: 'application/json' }
}

const requestOf = (config: Config, io: NodeIo): OutboundRequest => {
  const headers: Record<string, string> = {}
  for (const [name, value] of pairs('Header', config.headers as JsonObject | undefined)) {
    const key = name.toLowerCase()
    headers[key] = Object.hasOwn(headers, key) ? `${headers[key]}, ${value}` : value
  }
  const { body, type } = bodyOf(config.body, headers['content-type'])
  if (type !== null) headers['content-type'] ??= type
  headers['accept'] ??= 'application/json, text/*;q=0.9, */*;q=0.8'
  if (config.method !== 'GET' && config.method !== 'HEAD') headers['idempotency-key'] ??= io.idempotency_key
  // Not for the author of the workflow to say.
  headers[hops_header] = String(io.hops + 1)
  return {
    method: config.method,
    url: urlOf(config),
    headers,
    body,
    timeout_ms: config.timeout_ms ?? 30_000,
    max_bytes: config.max_bytes ?? 4_194_304,
    signal: io.signal,
  }
}

const retryableStatus = (status: number): boolean => status === 408 || status === 425 || status === 429 || status >= 500

const unacceptedStatus = (config: Config, answer: OutboundResponse, now: number): NodeFailure => {
  const retry_after_ms = retryAfter(answer, now)
  const preview = strictText(answer.body)
  return new NodeFailure({
    code: 'http.status',
    message: `${config.method} ${new URL(answer.url).host} answered ${answer.status}`,
    retryable: retryableStatus(answer.status),
    ...(retry_after_ms === null ? {} : { retry_after_ms }),
    details: { status: answer.status, body: preview === null ? null : preview.slice(0, 2_000) },
  })
}

const retryableProblems = new Set([
  'outbound.connect_failed',
  'outbound.connection_lost',
  'outbound.timeout',
  'outbound.busy',
  'outbound.aborted',
])

export const httpRequest = effect({
  type: 'http.request',
  title: 'HTTP request',
  description: 'Calls a web address and gives its answer.',
  icon: 'world',
  config: Config,
  output: Output,
  example: {
    config: {
      method: 'POST',
      url: 'https://api.example.com/orders',
      headers: { authorization: 'Bearer {{ trigger.token }}' },
      body: { id: '{{ trigger.id }}' },
    },
    trigger: { id: 7, token: 'secret' },
  },
  stand_in: () => ({ output: { status: 200, headers: {}, body: null, duration_ms: 0 } }),
  run: async ({ config }, io) => {
    const credential = config.integration_id === undefined ? null : await io.credential(config.integration_id)
    const request = requestOf(config, io)
    const answered = await io.app
      .use(outbound)
      .request(credential?.apply(request) ?? request)
      .catch((error: unknown) => {
        if (!(error instanceof Problem)) throw error
        throw new NodeFailure({ code: error.code, message: error.message, retryable: retryableProblems.has(error.code) })
      })
    const answer = credential?.scrub(answered) ?? answered
    if (!accepts(config.accept_status ?? '2xx', answer.status)) throw unacceptedStatus(config, answer, io.app.now())
    const body = answerBody(answer)
    return { output: { status: answer.status, headers: answer.headers, body, duration_ms: answer.duration_ms } }
  },
})
