import type { Json } from '../../../lib/json.ts'
import { isJsonObject } from '../../../lib/json.ts'
import { isUuid } from '../../../lib/id.ts'
import type { FieldError } from '../../../platform/http/validate.ts'
import type { Parameter, ParameterSchema } from './schema.ts'

const longest_text = 10_000

const kindMistake = (type: ParameterSchema['type'], value: Json): string | null => {
  if (type === 'integer') return Number.isInteger(value) ? null : 'must be a whole number'
  if (type === 'array') return Array.isArray(value) ? null : 'must be a list'
  if (type === 'object') return isJsonObject(value) ? null : 'must be an object'
  return typeof value === type ? null : `must be a ${type}`
}

const formats: { readonly [format: string]: { readonly fits: (text: string) => boolean; readonly message: string } } = {
  uri: { fits: (text) => /^https?:\/\//i.test(text) && URL.canParse(text), message: 'must be a URL that begins with http:// or https://' },
  email: { fits: (text) => /^[^\s@]+@[^\s@]+$/.test(text), message: 'must be an e-mail address' },
  uuid: { fits: isUuid, message: 'must be a UUID' },
}

const textMistake = ({ format, maxLength = longest_text }: ParameterSchema, text: string): string | null => {
  if (text.length > maxLength) return `must have at most ${maxLength} characters`
  const form = format === undefined ? undefined : formats[format]
  return form === undefined || form.fits(text) ? null : form.message
}

/** What is wrong with a value; null when it fits. */
export const mistakeIn = (schema: ParameterSchema, value: Json): string | null => {
  const { type, items, maxItems = 1_000, minimum = -Infinity, maximum = Infinity } = schema
  const kind = kindMistake(type, value)
  if (kind !== null) return kind
  if (schema.enum !== undefined && !schema.enum.includes(value as string | number)) return 'must be one of the given values'
  if (typeof value === 'string') return textMistake(schema, value)
  if (typeof value === 'number' && (value < minimum || value > maximum)) return 'is out of range'
  if (!Array.isArray(value)) return null
  if (value.length > maxItems) return `must have at most ${maxItems} elements`
  const wrong = items === undefined ? -1 : (value as readonly Json[]).findIndex((element) => kindMistake(items.type, element) !== null)
  return wrong === -1 ? null : `has an element that is no ${items?.type}: element ${wrong}`
}

/** A value for each parameter, and what is wrong with those that were given. */
export const valuesFor = (
  parameters: readonly Parameter[],
  given: { readonly [name: string]: Json },
): { readonly values: ReadonlyMap<string, Json>; readonly mistakes: readonly FieldError[] } => {
  const known = new Set(parameters.map(({ name }) => name))
  const unknown = Object.keys(given).filter((name) => !known.has(name))
  const mistakes: FieldError[] = unknown.map((name) => ({
    path: `values.${name.slice(0, 64)}`,
    message: 'is not a parameter of the template',
  }))
  const values = new Map<string, Json>()
  for (const { name, schema, default: fallback } of parameters) {
    const value = Object.hasOwn(given, name) ? (given[name] as Json) : fallback
    const isLeftOut = value === null && fallback === null
    const message = value === undefined ? 'is required' : isLeftOut ? null : mistakeIn(schema, value)
    if (message !== null) mistakes.push({ path: `values.${name}`, message })
    if (value !== undefined) values.set(name, value)
  }
  return { values, mistakes }
}
