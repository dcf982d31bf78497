import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { closest } from '../lib/closest.ts'
import { isJsonObject } from '../lib/json.ts'
import { pointerTo } from './expression/config.ts'

export interface SchemaProblem {
  /** JSON Pointer into the value. */
  readonly path: string
  readonly message: string
}

/** JSON Schema, as far as this file goes through it itself; the rest is left to the library. */
interface Schema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly description?: string
  readonly properties?: { readonly [name: string]: Schema }
  readonly patternProperties?: { readonly [pattern: string]: Schema }
  readonly additionalProperties?: Schema | boolean
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
}

interface LibraryError {
  readonly keyword: string
  readonly params: { readonly [name: string]: unknown }
  readonly message: string
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

const typeName = (type: unknown): string => types[String(type)] ?? String(type)

const oneOf = (values: readonly unknown[]): string => `must be one of ${values.map((value) => JSON.stringify(value)).join(', ')}`

const alternatives = (union: readonly Schema[]): string => {
  if (union.every((member) => 'const' in member)) return oneOf(union.map((member) => member.const))
  if (union.every((member) => member.type !== undefined))
    return `must be ${[...new Set(union.map((member) => typeName(member.type)))].join(' or ')}`
  return 'has none of the forms that are allowed here'
}

/** Whoever writes an object where one form is an object means that one. */
const isOfType = ({ type, ...rest }: Schema, part: unknown): boolean => {
  if ('const' in rest) return false
  if (type === 'object') return isJsonObject(part)
  if (type === 'array') return Array.isArray(part)
  if (type === 'integer' || type === 'number') return typeof part === 'number'
  return type !== undefined && type === typeof part
}

const comparisons: { readonly [keyword: string]: string } = {
  minimum: 'must be at least',
  maximum: 'must be at most',
  exclusiveMinimum: 'must be above',
  exclusiveMaximum: 'must be below',
}

const sentence = ({ keyword, params, message }: LibraryError, schema: Schema): string => {
  const comparison = comparisons[keyword]
  if (comparison !== undefined) return `${comparison} ${String(params['limit'])}`
  switch (keyword) {
    case 'type':
      return `must be ${typeName(params['type'])}`
    case 'const':
      return oneOf([params['allowedValue']])
    case 'enum':
      return oneOf(schema.enum ?? [])
    case 'pattern':
      return `does not have the form it must have${schema.description === undefined ? '' : ` (${schema.description.replace(/\.$/, '')})`}`
    case 'format':
      return `is not a valid ${String(params['format'])}`
    case 'minLength':
      return 'is too short'
    case 'maxLength':
      return `must be at most ${String(params['limit'])} characters long`
    case 'minItems':
      return `must hold at least ${String(params['limit'])}`
    case 'maxItems':
      return `must hold at most ${String(params['limit'])}`
    case 'uniqueItems':
      return 'must not hold anything twice'
    default:
      return message
  }
}

const nameOf = (path: string): string => {
  const key = path
    .slice(path.lastIndexOf('/') + 1)
    .replaceAll('~1', '/')
    .replaceAll('~0', '~')
  if (path === '') return 'It'
  return /^\d+$/.test(key) ? `Element ${key}` : `"${key.slice(0, 100)}"`
}

const unknownField = (name: string, schema: Schema): string => {
  const known = Object.keys(schema.properties ?? {})
  const similar = closest(name, known)
  const help = similar
    ? `; did you mean "${similar}"?`
    : known.length > 0
      ? `; there are ${known.map((each) => `"${each}"`).join(', ')}`
      : ''
  return `"${name.slice(0, 100)}" is not known here${help}`
}

/** The schema of one field; false where there must be none, undefined where anything goes. */
const ofField = (schema: Schema, name: string): Schema | boolean | undefined => {
  if (schema.properties && Object.hasOwn(schema.properties, name)) return schema.properties[name]
  const patterned = Object.entries(schema.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern, 'u').test(name))
  return patterned ? patterned[1] : schema.additionalProperties
}

/**
 * What a schema finds wrong with a value, in sentences; empty only when nothing is. Each field is judged by itself, because the library
 * lists no more than eight mistakes, and fields at `undecided` paths not at all: what they hold is known only later.
 */
export const schemaProblems = (root: TSchema, value: unknown, undecided: readonly string[] = []): readonly SchemaProblem[] => {
  const problems: SchemaProblem[] = []
  const open = new Set(undecided)

  const leaf = (schema: Schema, part: unknown, path: string): void => {
    const [first] = Value.Errors(schema as TSchema, part) as readonly LibraryError[]
    if (first) problems.push({ path, message: `${nameOf(path)} ${sentence(first, schema)}` })
  }

  const walkObject = (schema: Schema, object: { readonly [name: string]: unknown }, path: string): void => {
    const { properties: _p, patternProperties: _q, additionalProperties: _a, required = [], ...rest } = schema
    for (const name of required) {
      if (!Object.hasOwn(object, name) || object[name] === undefined)
        problems.push({ path: pointerTo(path, name), message: `"${name}" is missing` })
    }
    for (const name of Object.keys(object)) {
      const field = ofField(schema, name)
      if (field === false) problems.push({ path: pointerTo(path, name), message: unknownField(name, schema) })
      else if (typeof field === 'object' && object[name] !== undefined) walk(field, object[name], pointerTo(path, name))
    }
    leaf(rest, object, path)
  }

  const walkList = (schema: Schema, list: readonly unknown[], path: string): void => {
    const { items, ...rest } = schema
    if (items) for (const [index, element] of list.entries()) walk(items, element, pointerTo(path, index))
    leaf(rest, list, path)
  }

  const walk = (schema: Schema, part: unknown, path: string): void => {
    if (open.has(path)) return
    const union = schema.anyOf ?? schema.oneOf
    if (union) {
      if (undecided.some((each) => each.startsWith(`${path}/`)) || Value.Check(schema as TSchema, part)) return
      const meant = union.filter((member) => isOfType(member, part))
      if (meant.length === 1 && union.length > 1) return walk(meant[0] as Schema, part, path)
      problems.push({ path, message: `${nameOf(path)} ${alternatives(union)}` })
    } else if (schema.type === 'object' && isJsonObject(part)) walkObject(schema, part, path)
    else if (schema.type === 'array' && Array.isArray(part)) walkList(schema, part, path)
    else leaf(schema, part, path)
  }

  walk(root, value, '')
  return problems
}
