/** A JSON Schema as plain data. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null && !Array.isArray(value)

const mapValues = (schemas: unknown, change: (schema: JsonSchema) => JsonSchema): JsonSchema =>
  Object.fromEntries(Object.entries(schemas as JsonSchema).map(([name, schema]) => [name, isSchema(schema) ? change(schema) : schema]))

const perName = new Set(['properties', 'patternProperties', '$defs'])
const perPlace = new Set(['anyOf', 'oneOf', 'prefixItems'])
const single = new Set(['items', 'additionalProperties', 'contains', 'not'])

/**
 * The schema with every object closed: fields that it does not name are refused, unless it says itself what other fields may
 * be. The parts of an intersection are left open and the whole is closed around them.
 */
export const strict = (schema: JsonSchema): JsonSchema => change(schema, true)

const change = (schema: JsonSchema, close: boolean): JsonSchema => {
  const out: { [keyword: string]: unknown } = {}
  for (const [keyword, value] of Object.entries(schema)) {
    if (perName.has(keyword) && isSchema(value)) out[keyword] = mapValues(value, (inner) => change(inner, true))
    else if (perPlace.has(keyword) && Array.isArray(value)) out[keyword] = value.map((inner: JsonSchema) => change(inner, close))
    else if (keyword === 'allOf' && Array.isArray(value)) out[keyword] = value.map((inner: JsonSchema) => change(inner, false))
    else if (keyword === 'items' && Array.isArray(value)) out[keyword] = value.map((inner: JsonSchema) => change(inner, true))
    else if (single.has(keyword) && isSchema(value)) out[keyword] = change(value, true)
    else out[keyword] = value
  }
  if (!close) return out
  if (Array.isArray(schema['allOf'])) out['unevaluatedProperties'] ??= false
  else if (isSchema(schema['properties']) && schema['patternProperties'] === undefined) out['additionalProperties'] ??= false
  return out
}

/** Fills in the defaults that a schema declares, in place; null when it declares none. */
export const defaultsOf = (schema: JsonSchema): ((value: unknown) => void) | null => {
  const properties = isSchema(schema['properties']) ? Object.entries(schema['properties']) : []
  const parts = properties.flatMap(([name, inner]) => {
    if (!isSchema(inner)) return []
    const nested = defaultsOf(inner)
    return 'default' in inner || nested !== null ? [{ name, has: 'default' in inner, value: inner['default'], nested }] : []
  })
  const items = isSchema(schema['items']) ? defaultsOf(schema['items']) : null
  if (parts.length === 0 && items === null) return null
  return (value) => {
    if (Array.isArray(value)) {
      if (items !== null) for (const item of value) items(item)
      return
    }
    if (typeof value !== 'object' || value === null) return
    const target = value as { [name: string]: unknown }
    for (const part of parts) {
      if (part.has && target[part.name] === undefined) target[part.name] = structuredClone(part.value)
      if (part.nested !== null) part.nested(target[part.name])
    }
  }
}
