import { parseJsonText } from '../../../lib/json-text.ts'
import type { Json, JsonObject } from '../../../lib/json.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import type { RawRequest } from '../../../platform/http/route.ts'

const maxDepth = 64

/** The payload is journalled and shown: what lets its bearer in somewhere does not belong there. */
const secretHeaders = new Set(['authorization', 'cookie', 'proxy-authorization', 'x-api-key'])

/**
 * What `trigger` is after a webhook call: `{ method, path, headers, query, body, raw_id }`. `secret_header` holds the webhook's secret itself, `id` is that of the request and of the execution that it starts. Throws 400 `http.malformed_json` for
 * a JSON body that is none, 415 `http.unsupported_media_type` for one that is neither JSON, a form nor text, 413 `http.body_too_large` for a form of too many fields.
 */
export const payloadOf = (
  request: Pick<RawRequest, 'method' | 'headers' | 'query' | 'body'>,
  path: string,
  secret_header: string | null,
  id: string,
): Json => ({
  method: request.method,
  path,
  headers: keptHeaders(request.headers, secret_header),
  query: queryOf(request.query),
  body: request.body.length === 0 ? null : bodyOf(request.headers, request.body),
  raw_id: id,
})

/** Those headers of a call that may be kept. */
export const keptHeaders = (headers: RawRequest['headers'], secret_header: string | null): JsonObject => {
  const kept: Record<string, Json> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined && !secretHeaders.has(name) && name !== secret_header) kept[name] = value
  }
  return kept
}

/** A megabyte of nothing but names would keep everybody else waiting for seconds. */
const most_fields = 10_000

const formOf = (text: string): JsonObject => {
  let fields = 1
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) fields += 1
  if (fields > most_fields) throw httpErrors.body_too_large({ detail: `A form has at most ${most_fields} fields; this one has ${fields}.` })
  return fieldsOf(text)
}

export const queryOf = (query: string): JsonObject => (query === '' ? {} : fieldsOf(query))

/** A query or a form as an object; a name that comes several times is a list. */
const fieldsOf = (text: string): JsonObject => {
  const fields = new Map<string, string | string[]>()
  for (const [name, value] of new URLSearchParams(text)) {
    const before = fields.get(name)
    if (before === undefined) fields.set(name, value)
    else if (typeof before === 'string') fields.set(name, [before, value])
    else before.push(value)
  }
  return Object.fromEntries(fields)
}

const textual =
  /^(?:text\/[\w.+-]+|application\/(?:xml|javascript|graphql|x-ndjson|ndjson|jsonl|yaml|x-yaml|sql)|[\w.+-]+\/[\w.+-]+\+(?:xml|yaml))$/
const jsonLike = /^(?:application|text)\/(?:json|[\w.-]+\+json)$/

const bodyOf = (headers: RawRequest['headers'], body: Buffer): Json => {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw httpErrors.unsupported_media_type({
      detail: 'Send the body without Content-Encoding.',
      headers: { 'accept-encoding': 'identity' },
    })
  }
  const contentType = String(headers['content-type'] ?? '')
  if (contentType === 'application/json') return jsonOf(body)
  const [first = '', ...parameters] = contentType.toLowerCase().split(';')
  const type = first.trim()
  if (jsonLike.test(type)) return jsonOf(body)
  if (type === 'application/x-www-form-urlencoded') return formOf(body.toString('utf8'))
  if (textual.test(type)) return textOf(body, charsetOf(parameters))
  if (type === '') return textOf(body, 'utf-8')
  throw unsupported(`A webhook takes JSON, a form or text, not ${JSON.stringify(type.slice(0, 100))}.`)
}

const unsupported = (detail: string) =>
  httpErrors.unsupported_media_type({ detail, headers: { accept: 'application/json, application/x-www-form-urlencoded, text/*' } })

const charsetOf = (parameters: readonly string[]): string =>
  parameters.map((parameter) => /^\s*charset\s*=\s*"?([^"\s]+)"?\s*$/.exec(parameter)?.[1]).find((name) => name !== undefined) ?? 'utf-8'

const textOf = (body: Buffer, charset: string): string => {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(body)
  } catch {
    // A charset that nobody knows, or bytes that are none of its.
    throw unsupported(`The body is not text in ${JSON.stringify(charset.slice(0, 40))}.`)
  }
}

const jsonOf = (body: Buffer): Json => {
  try {
    const text = body.toString('utf8')
    return parseJsonText(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text, maxDepth)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw httpErrors.malformed_json({ detail: `The body cannot be taken as JSON: ${error.message}.` })
  }
}
