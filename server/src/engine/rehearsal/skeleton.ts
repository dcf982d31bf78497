import { isJsonObject, type Json } from '../../lib/json.ts'

const deepest = 8

/**
 * The plainest value of a JSON Schema: an object with the fields that it must have, an empty list, an empty text, 0, the first of several
 * forms; null for what may be anything.
 */
export const skeletonOf = (schema: unknown, depth = 0): Json => {
  if (!isJsonObject(schema) || depth > deepest) return null
  const { type, properties, required } = schema
  if (schema['const'] !== undefined) return schema['const']
  for (const list of [schema['enum'], schema['examples']]) if (Array.isArray(list) && list.length > 0) return list[0] as Json
  for (const forms of [schema['anyOf'], schema['oneOf']]) if (Array.isArray(forms)) return skeletonOf(forms[0], depth + 1)
  if (type === 'object') {
    const fields = isJsonObject(properties) ? properties : {}
    const needed = Array.isArray(required) ? (required as readonly string[]) : []
    return Object.fromEntries(needed.flatMap((name) => (Object.hasOwn(fields, name) ? [[name, skeletonOf(fields[name], depth + 1)]] : [])))
  }
  if (type === 'array') return []
  if (type === 'string') return ''
  if (type === 'number' || type === 'integer') return typeof schema['minimum'] === 'number' ? Math.max(0, schema['minimum']) : 0
  return type === 'boolean' ? false : null
}
