import { parseJsonText } from '../../lib/json-text.ts'
import type { Json } from '../../lib/json.ts'
import type { OutboundResponse } from '../../platform/outbound/outbound.ts'
import { NodeFailure } from '../node.ts'

const maxDepth = 128

/** Whether a status is in a set as `2xx,404,500-503`. */
export const accepts = (accept_status: string, status: number): boolean =>
  accept_status.split(',').some((part) => {
    const [from = '', to = from] = part.trim().split('-')
    return status >= Number(from.replace('xx', '00')) && status <= Number(to.replace('xx', '99'))
  })

const header = (answer: OutboundResponse, name: string): string => {
  const value = answer.headers[name]
  return typeof value === 'string' ? value : ''
}

const isText =
  /^(text\/|application\/(xml|javascript|ecmascript|graphql|x-www-form-urlencoded|x-ndjson|ndjson|jsonl|yaml|x-yaml|toml|sql)$|[^;]+\+(xml|yaml)$)/
const isJson = /^(application\/json|text\/json|[^;]+\+json)$/

const decodeText = (body: Buffer, charset: string | undefined): string => {
  try {
    return new TextDecoder(charset ?? 'utf-8').decode(body)
  } catch (error) {
    // The only thing a decoder refuses is a name it does not know; what the server meant is then most likely UTF-8.
    if (error instanceof RangeError) return new TextDecoder().decode(body)
    throw error
  }
}

/** The text that the bytes are in UTF-8, or null when they are none. */
export const strictText = (body: Buffer): string | null => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    return text.includes('\0') ? null : text
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

const parseJson = (text: string): Json => {
  try {
    return parseJsonText(text, maxDepth)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new NodeFailure({ code: 'http.malformed_answer', message: `The answer cannot be taken as JSON: ${error.message}` })
  }
}

/**
 * The body of an answer by its content type: JSON parsed, text as text, null when empty. Fails with `http.malformed_answer` for JSON that is
 * none, and with `http.binary_not_supported` for anything else.
 */
export const answerBody = (answer: OutboundResponse): Json => {
  if (answer.body.length === 0) return null
  const [type = '', ...parameters] = header(answer, 'content-type').toLowerCase().split(';')
  const mediaType = type.trim()
  if (isJson.test(mediaType)) return parseJson(decodeText(answer.body, undefined))
  const charset = parameters
    .map((parameter) => /^\s*charset\s*=\s*"?([^"]+?)"?\s*$/.exec(parameter)?.[1])
    .find((name) => name !== undefined)
  if (isText.test(mediaType)) return decodeText(answer.body, charset)
  const text = mediaType === '' ? strictText(answer.body) : null
  if (text !== null) return text
  throw new NodeFailure({
    code: 'http.binary_not_supported',
    message: `The answer is ${mediaType === '' ? 'binary' : mediaType}; a step can take JSON and text`,
  })
}

/** `Retry-After` in milliseconds from now (RFC 9110, section 10.2.3: seconds or a date); null when there is none that can be read. */
export const retryAfter = (answer: OutboundResponse, now: number): number | null => {
  const value = header(answer, 'retry-after').trim()
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const date = value.endsWith(' GMT') ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? null : Math.max(0, date - now)
}
