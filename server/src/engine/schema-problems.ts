import type { Validator } from 'typebox/compile'
import { closest } from '../lib/closest.ts'
import { pointerTo } from './expression/config.ts'

export interface SchemaProblem {
  /** JSON Pointer into the value. */
  readonly path: string
  readonly message: string
}

interface SchemaError {
  readonly keyword: string
  readonly schemaPath: string
  readonly instancePath: string
  readonly params: { readonly [name: string]: unknown }
  readonly message: string
}

interface SchemaPart {
  readonly description?: string
  readonly properties?: { readonly [name: string]: unknown }
  readonly [key: string]: unknown
}

const types: { readonly [type: string]: string } = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
}

/** The part of a schema that an error speaks of. Its path is a URI fragment that the library does not escape. */
const partAt = (schema: unknown, path: string): SchemaPart => {
  let part = schema
  for (const key of path.split('/').slice(1)) part = typeof part === 'object' && part !== null ? (part as SchemaPart)[key] : undefined
  return typeof part === 'object' && part !== null ? (part as SchemaPart) : {}
}

const alternatives = (errors: readonly SchemaError[]): string => {
  const values = errors.flatMap((error) =>
    error.keyword === 'const' ? [error.params['allowedValue']] : error.keyword === 'enum' ? (error.params['allowedValues'] as unknown[]) : [],
  )
  if (values.length > 0) return `must be one of ${values.map((value) => JSON.stringify(value)).join(', ')}`
  const kinds = errors.flatMap((error) => (error.keyword === 'type' ? [types[String(error.params['type'])] ?? String(error.params['type'])] : []))
  if (kinds.length === errors.length && kinds.length > 0) return `must be ${[...new Set(kinds)].join(' or ')}`
  return 'has none of the forms that are allowed here'
}

const comparisons: { readonly [keyword: string]: string } = {
  minimum: 'must be at least',
  maximum: 'must be at most',
  exclusiveMinimum: 'must be above',
  exclusiveMaximum: 'must be below',
}

const sentence = (error: SchemaError, part: SchemaPart): string => {
  const comparison = comparisons[error.keyword]
  if (comparison !== undefined) return `${comparison} ${String(error.params['limit'])}`
  const hint = part.description === undefined ? '' : ` (${part.description.replace(/\.$/, '')})`
  switch (error.keyword) {
    case 'type':
      return `must be ${types[String(error.params['type'])] ?? String(error.params['type'])}`
    case 'const':
    case 'enum':
      return alternatives([error])
    case 'pattern':
      return `does not have the form it must have${hint}`
    case 'format':
      return `is not a valid ${String(error.params['format'])}`
    case 'minLength':
      return 'must not be empty'
    case 'maxLength':
      return `must be at most ${String(error.params['limit'])} characters long`
    case 'maxItems':
      return `must hold at most ${String(error.params['limit'])}`
    case 'minItems':
      return `must hold at least ${String(error.params['limit'])}`
    case 'uniqueItems':
      return 'must not hold anything twice'
    default:
      return error.message
  }
}

const nameOf = (path: string): string => {
  const key = path.slice(path.lastIndexOf('/') + 1).replaceAll('~1', '/').replaceAll('~0', '~')
  return path === '' ? 'It' : /^\d+$/.test(key) ? `Element ${key}` : `"${key.slice(0, 100)}"`
}

const missing = (error: SchemaError): readonly SchemaProblem[] =>
  (error.params['requiredProperties'] as readonly string[]).map((name) => ({
    path: pointerTo(error.instancePath, name),
    message: `"${name}" is missing`,
  }))

const unknown = (error: SchemaError, part: SchemaPart): readonly SchemaProblem[] =>
  (error.params['additionalProperties'] as readonly string[]).map((name) => {
    const known = Object.keys(part.properties ?? {})
    const similar = closest(name, known)
    const help = similar ? `; did you mean "${similar}"?` : known.length > 0 ? `; there are ${known.map((each) => `"${each}"`).join(', ')}` : ''
    return { path: pointerTo(error.instancePath, name), message: `"${name.slice(0, 100)}" is not known here${help}` }
  })

const unions = new Set(['anyOf', 'oneOf'])

/** What a schema finds wrong with a value, in sentences: at most eight, the library's own limit. */
export const schemaProblems = (validator: Validator, value: unknown, undecided: readonly string[] = []): readonly SchemaProblem[] => {
  if (validator.Check(value)) return []
  const errors = validator.Errors(value) as readonly SchemaError[]
  const united = errors.filter((error) => unions.has(error.keyword))
  const within = (error: SchemaError, union: SchemaError): boolean => error.schemaPath.startsWith(`${union.schemaPath}/${union.keyword}/`)
  const open = (error: SchemaError): boolean =>
    undecided.some(
      (path) =>
        error.instancePath === path ||
        error.instancePath.startsWith(`${path}/`) ||
        (unions.has(error.keyword) && path.startsWith(`${error.instancePath}/`)),
    )
  return errors.flatMap((error): readonly SchemaProblem[] => {
    if (error.keyword === 'boolean' || open(error) || united.some((union) => union !== error && within(error, union))) return []
    const part = partAt(validator.Type(), error.schemaPath)
    if (error.keyword === 'required') return missing(error)
    if (error.keyword === 'additionalProperties') return unknown(error, part)
    const words = unions.has(error.keyword) ? alternatives(errors.filter((other) => within(other, error))) : sentence(error, part)
    return [{ path: error.instancePath, message: `${nameOf(error.instancePath)} ${words}` }]
  })
}
