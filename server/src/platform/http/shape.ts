import { Compile } from 'typebox/schema'
import type { JsonSchema } from './strict.ts'

/** What is left of a value when only the fields of a schema may leave. */
export type Shape = (value: unknown) => unknown

const same: Shape = (value) => value

/**
 * The shape of a reply. A field that its schema does not name never leaves, however deep; values are not converted. An
 * object whose schema says nothing of its fields passes as it is.
 */
export const shapeOf = (schema: JsonSchema): Shape => build(schema, schema, new Map())

const build = (schema: JsonSchema, root: JsonSchema, known: Map<JsonSchema, Shape>): Shape => {
  const found = known.get(schema)
  if (found !== undefined) return found
  // A schema that contains itself finds this while its own shape is still being built.
  let shape: Shape = same
  known.set(schema, (value) => shape(value))
  shape = make(schema, root, known)
  if (shape === same) known.set(schema, same)
  return shape
}

const make = (schema: JsonSchema, root: JsonSchema, known: Map<JsonSchema, Shape>): Shape => {
  const inner = (part: unknown): Shape => build(part as JsonSchema, root, known)
  if (typeof schema['$ref'] === 'string') return inner(resolve(schema['$ref'], root))
  const branches = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(branches)) return oneOf(branches as readonly JsonSchema[], root, inner)
  if (Array.isArray(schema['allOf'])) {
    const parts = schema['allOf'].map(inner)
    return (value) => Object.assign({}, ...parts.map((part) => part(value))) as unknown
  }
  if (schema['type'] === 'array' || schema['items'] !== undefined) return listOf(schema['items'], inner)
  if (schema['properties'] !== undefined) return objectOf(schema, inner)
  const values =
    schema['patternProperties'] === undefined ? schema['additionalProperties'] : Object.values(schema['patternProperties'] as object)[0]
  if (typeof values === 'object' && values !== null) return recordOf(inner(values))
  return same
}

const resolve = (ref: string, root: JsonSchema): JsonSchema => {
  const definitions = (root['$defs'] ?? {}) as { [name: string]: JsonSchema }
  const found = ref === '#' ? root : definitions[ref.replace(/^#\/\$defs\//, '')]
  if (found === undefined) throw new Error(`A reply schema refers to ${ref}, which is not there.`)
  return found
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const objectOf = (schema: JsonSchema, inner: (part: unknown) => Shape): Shape => {
  const fields = Object.entries(schema['properties'] as object).map(([name, part]) => ({ name, shape: inner(part) }))
  const rest = schema['additionalProperties']
  const others = rest === true ? same : typeof rest === 'object' && rest !== null ? inner(rest) : null
  const named = new Set(fields.map(({ name }) => name))
  return (value) => {
    if (!isObject(value)) return value
    const out: { [name: string]: unknown } = {}
    for (const { name, shape } of fields) {
      const field = value[name]
      if (field !== undefined) out[name] = shape === same ? field : shape(field)
    }
    if (others !== null) for (const name of Object.keys(value)) if (!named.has(name)) out[name] = others(value[name])
    return out
  }
}

const recordOf = (values: Shape): Shape =>
  values === same
    ? same
    : (value) => (isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, field]) => [name, values(field)])) : value)

const listOf = (items: unknown, inner: (part: unknown) => Shape): Shape => {
  if (typeof items !== 'object' || items === null || Array.isArray(items)) return same
  const item = inner(items)
  return item === same ? same : (value) => (Array.isArray(value) ? value.map(item) : value)
}

const oneOf = (branches: readonly JsonSchema[], root: JsonSchema, inner: (part: unknown) => Shape): Shape => {
  const shaped = branches
    .map((branch) => ({ branch, shape: inner(branch), fits: fitsOf(branch, root) }))
    .filter(({ shape }) => shape !== same)
  if (shaped.length === 0) return same
  const [only] = shaped
  if (only !== undefined && shaped.length === 1) return (value) => (typeof value === 'object' && value !== null ? only.shape(value) : value)
  return (value) => {
    if (typeof value !== 'object' || value === null) return value
    const chosen = shaped.find(({ fits }) => fits(value))
    if (chosen === undefined) throw new Error('A reply fits no branch of its schema.')
    return chosen.shape(value)
  }
}

const fitsOf = (branch: JsonSchema, root: JsonSchema): ((value: unknown) => boolean) => {
  let compiled: ReturnType<typeof Compile> | null = null
  return (value) => {
    compiled ??= Compile(root['$defs'] === undefined ? branch : { ...branch, $defs: root['$defs'] })
    return compiled.Check(value)
  }
}
