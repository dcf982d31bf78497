import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import type { NodeType } from './node.ts'

/** A node type's config schema, ready to check with. */
export interface ConfigSchema {
  /** For a config as it is written: expressions are texts. */
  readonly written: Validator
  /** For a config that has been evaluated: a field that is an expression may have become anything. */
  readonly evaluated: Validator
}

const evaluatedSchema = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(evaluatedSchema)
  if (typeof schema !== 'object' || schema === null) return schema
  if ('format' in schema && schema.format === 'expression') return {}
  return Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, evaluatedSchema(part)]))
}

/** Compiles each type's schema at its first use: some nodes are never drawn. */
export const configSchemas = (): ((type: NodeType) => ConfigSchema) => {
  const made = new Map<NodeType, ConfigSchema>()
  return (type) => {
    const known = made.get(type)
    if (known) return known
    const schema = { written: Compile(type.config), evaluated: Compile(evaluatedSchema(type.config) as TSchema) }
    made.set(type, schema)
    return schema
  }
}
