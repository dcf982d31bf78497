import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import type { NodeType } from './node.ts'

/** A node type's config schema, compiled when it is first needed. */
export interface ConfigSchema {
  /** For a config as it is written: expressions are texts. */
  readonly written: () => Validator
  /** For a config that has been evaluated: a field that is an expression may have become anything. */
  readonly evaluated: () => Validator
}

const evaluatedSchema = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(evaluatedSchema)
  if (typeof schema !== 'object' || schema === null) return schema
  if ('format' in schema && schema.format === 'expression') return {}
  return Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, evaluatedSchema(part)]))
}

/** The schemas of node types, each compiled once. */
export const configSchemas = (): ((type: NodeType) => ConfigSchema) => {
  const made = new Map<NodeType, ConfigSchema>()
  return (type) => {
    const known = made.get(type)
    if (known) return known
    let written: Validator | null = null
    let evaluated: Validator | null = null
    const schema: ConfigSchema = {
      written: () => (written ??= Compile(type.config)),
      evaluated: () => (evaluated ??= Compile(evaluatedSchema(type.config) as TSchema)),
    }
    made.set(type, schema)
    return schema
  }
}
