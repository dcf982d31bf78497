import { isUtf8 } from 'node:buffer'
import { httpErrors } from './errors.ts'
import { invalid } from './validate.ts'

/** Deeper JSON is refused: whatever walks it later (validators, serialisers) may recurse. */
export const max_depth = 64

/** Refuses a body that is not JSON by its content type. */
export const requireJson = (content_type: string | undefined, content_encoding: string | undefined): void => {
  if (content_encoding !== undefined && content_encoding !== 'identity') {
    throw httpErrors.unsupported_media_type({
      detail: 'Send the body without Content-Encoding.',
      headers: { 'accept-encoding': 'identity' },
    })
  }
  if (content_type === 'application/json' || isJson(content_type)) return
  throw httpErrors.unsupported_media_type({ detail: 'Send the body as application/json.', headers: { accept: 'application/json' } })
}

const isJson = (content_type = ''): boolean => {
  const [media = '', ...parameters] = content_type.toLowerCase().split(';')
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  const utf8 = charset === undefined || charset === 'charset=utf-8' || charset === 'charset="utf-8"' || charset === 'charset=utf8'
  return utf8 && /^application\/(?:json|[\w.!#$&^-]+\+json)$/.test(media.trim())
}

/**
 * Parses a JSON body (RFC 8259, in UTF-8) and refuses what would hurt further in: nesting deeper than `max_depth`, NUL bytes
 * and lone surrogates, which PostgreSQL cannot store, numbers that are infinite, and names that reach into prototypes.
 */
export const parseJson = (body: Buffer): unknown => {
  if (!isUtf8(body)) throw httpErrors.malformed_json({ detail: 'The body is not UTF-8.' })
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    // The parser's message quotes the body, which may hold a secret.
    throw httpErrors.malformed_json()
  }
  checkJson(value)
  return value
}

interface Step {
  readonly value: object
  readonly path: string
  readonly depth: number
}

/** Walks without recursion, so that no input can use up the stack. */
const checkJson = (value: unknown): void => {
  if (typeof value === 'string') return checkText(value, '')
  if (typeof value === 'number') return checkNumber(value, '')
  if (typeof value !== 'object' || value === null) return
  const steps: Step[] = [{ value, path: '', depth: 1 }]
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    if (step.depth > max_depth) throw httpErrors.malformed_json({ detail: `The body is nested deeper than ${max_depth} levels.` })
    if (Array.isArray(step.value))
      for (let index = 0; index < step.value.length; index += 1) checkMember(String(index), step.value[index], step, steps)
    else {
      for (const name of Object.keys(step.value)) {
        if (name === '__proto__' || (name === 'constructor' && hasPrototype(step.value))) {
          throw invalid([{ path: pathOf(step, name), message: 'is not a name that a field may have' }])
        }
        if (unstorable(name)) throw invalid([{ path: step.path, message: 'has a field name with a NUL byte or half a surrogate pair' }])
        checkMember(name, (step.value as { [name: string]: unknown })[name], step, steps)
      }
    }
  }
}

const checkMember = (name: string, value: unknown, step: Step, steps: Step[]): void => {
  if (typeof value === 'string') {
    if (unstorable(value)) checkText(value, pathOf(step, name))
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) checkNumber(value, pathOf(step, name))
  } else if (typeof value === 'object' && value !== null) steps.push({ value, path: pathOf(step, name), depth: step.depth + 1 })
}

const pathOf = (step: Step, name: string): string => (step.path === '' ? name : `${step.path}.${name}`)

const hasPrototype = (value: object): boolean => {
  const constructor: unknown = Object.hasOwn(value, 'constructor') ? Reflect.get(value, 'constructor') : null
  return typeof constructor === 'object' && constructor !== null && Object.hasOwn(constructor, 'prototype')
}

export const unstorable = (text: string): boolean => text.includes('\0') || !text.isWellFormed()

/** `1e400` is JSON, and infinite once it is read; written again it would be null. */
const checkNumber = (value: number, path: string): void => {
  if (!Number.isFinite(value)) throw invalid([{ path, message: 'is too large a number' }])
}

/** Refuses text that a text column cannot hold. */
export const checkText = (text: string, path: string): void => {
  if (text.includes('\0')) throw invalid([{ path, message: 'must not contain a NUL byte' }])
  if (!text.isWellFormed()) throw invalid([{ path, message: 'must not contain half a surrogate pair' }])
}
