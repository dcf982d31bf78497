import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import type { NodeType } from './node.ts'

const evaluated = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(evaluated)
  if (typeof schema !== 'object' || schema === null) return schema
  if ('evaluate' in schema || ('format' in schema && schema.format === 'expression')) return {}
  return Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, evaluated(part)]))
}

/**
 * Validators for configs whose expressions have been evaluated: a field that is an expression may have become anything. Each type's is
 * compiled once, when it is first needed.
 */
export const evaluatedConfigs = (): ((type: NodeType) => Validator) => {
  const made = new Map<NodeType, Validator>()
  return (type) => {
    const known = made.get(type)
    if (known) return known
    const validator = Compile(evaluated(type.config) as TSchema)
    made.set(type, validator)
    return validator
  }
}
