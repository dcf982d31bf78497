import type { TSchema } from 'typebox'
import { httpErrors } from './errors.ts'
import { checkText } from './json-body.ts'
import type { JsonSchema } from './strict.ts'
import { invalid, type Validate, validatorOf } from './validate.ts'

type Text = string | string[]

/** Splits a query string. A name may repeat, which makes a list. Refuses broken percent-encoding with 400. */
export const parseQuery = (query: string): { [name: string]: Text } => {
  const values: { [name: string]: Text } = {}
  if (query === '') return values
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    const value = decode(equals < 0 ? '' : pair.slice(equals + 1))
    if (name === '__proto__') throw invalid([{ path: name, message: 'is not a known field' }])
    checkText(name, '')
    checkText(value, name)
    const before = Object.hasOwn(values, name) ? values[name] : undefined
    if (before === undefined) values[name] = value
    else if (typeof before === 'string') values[name] = [before, value]
    else before.push(value)
  }
  return values
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text.includes('+') ? text.replaceAll('+', ' ') : text)
  } catch {
    throw httpErrors.malformed_request({ detail: 'The query is not valid percent-encoding.' })
  }
}

type Coerce = (value: Text) => unknown

/**
 * Turns the texts of a query or a path into what their schema says: numbers, `true` and `false`, lists. What cannot be
 * turned is left as it is, for the validator to name.
 */
const coercerOf = (schema: JsonSchema): ((values: { [name: string]: unknown }) => void) => {
  const parts = Object.entries((schema['properties'] ?? {}) as { [name: string]: JsonSchema }).map(([name, inner]) => ({
    name,
    coerce: coerceTo(inner),
  }))
  return (values) => {
    for (const { name, coerce } of parts) if (values[name] !== undefined) values[name] = coerce(values[name] as Text)
  }
}

const decimal = /^-?(?:0|[1-9]\d{0,15})(?:\.\d{1,15})?$/

const coerceTo = (schema: JsonSchema): Coerce => {
  const { type } = schema
  if (type === 'number' || type === 'integer') return (value) => (typeof value === 'string' && decimal.test(value) ? Number(value) : value)
  if (type === 'boolean') return (value) => (value === 'true' ? true : value === 'false' ? false : value)
  if (type === 'array') {
    const item = coerceTo((schema['items'] ?? {}) as JsonSchema)
    return (value) => (typeof value === 'string' ? [item(value)] : value.map(item))
  }
  return (value) => value
}

/** Input that comes as text: parameters of the path or the query. */
export interface TextInput {
  readonly coerce: (values: { [name: string]: unknown }) => void
  readonly validate: Validate
}

export const textInput = (schema: TSchema | undefined): TextInput | null =>
  schema === undefined ? null : { coerce: coercerOf(schema as JsonSchema), validate: validatorOf(schema as JsonSchema) }
