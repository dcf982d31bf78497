import type { TSchema } from 'typebox'
import type { JsonObject } from '../lib/json.ts'
import { Definition } from './graph/definition.ts'
import type { NodeType } from './node.ts'

type Schema = { readonly [keyword: string]: unknown }

const isSchema = (part: unknown): part is Schema => typeof part === 'object' && part !== null && !Array.isArray(part)

const template = { type: 'string', pattern: '\\{\\{', description: 'Text with `{{ … }}`, evaluated when the node runs.' }

const constrained = ['pattern', 'format', 'enum', 'const']

/** Where a value may be written as an expression instead, the published schema says so: a number may be `"{{ trigger.body.n }}"`. */
const takesTemplate = (schema: Schema): boolean => {
  if (schema['format'] === 'literal' || schema['format'] === 'expression') return false
  if (schema['anyOf'] !== undefined || schema['const'] !== undefined) return true
  if (schema['type'] === undefined) return false
  return schema['type'] !== 'string' || constrained.some((keyword) => schema[keyword] !== undefined)
}

const members = (parts: unknown, convert: (part: unknown) => unknown): unknown =>
  isSchema(parts) ? Object.fromEntries(Object.entries(parts).map(([key, part]) => [key, convert(part)])) : parts

const withTemplates = (schema: unknown): unknown => {
  if (!isSchema(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, part]) => {
      if (keyword === 'properties' || keyword === 'patternProperties') return [keyword, members(part, asValue)]
      if (keyword === 'additionalProperties' || keyword === 'items') return [keyword, asValue(part)]
      return [keyword, part]
    }),
  )
}

const asValue = (schema: unknown): unknown => {
  if (!isSchema(schema) || !takesTemplate(schema)) return withTemplates(schema)
  const { description, default: fallback, ...rest } = schema
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [withTemplates(rest), template],
  }
}

const forType = (type: NodeType): Schema => {
  const required = (type.config as Schema)['required']
  const needed = Array.isArray(required) && required.length > 0
  return {
    if: { properties: { type: { const: type.type } }, required: ['type'] },
    then: { properties: { config: withTemplates(type.config) }, ...(needed ? { required: ['config'] } : {}) },
  }
}

/**
 * The JSON Schema (draft 2020-12) of a definition, with the config of each node type: what an editor needs to complete and check a
 * workflow that is written as a file. The check knows more (`check`): circles, ports, expressions.
 */
export const definitionSchema = (nodeTypes: ReadonlyMap<string, NodeType>): JsonObject => {
  const types = [...nodeTypes.values()].toSorted((a, b) => (a.type < b.type ? -1 : 1))
  const node = Definition.properties.nodes.items as TSchema & { properties: Schema }
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Workflow definition',
    description: 'What a workflow does: its nodes, and the edges between them.',
    ...Definition,
    properties: {
      ...Definition.properties,
      nodes: {
        ...Definition.properties.nodes,
        items: {
          ...node,
          properties: {
            ...node.properties,
            type: { oneOf: types.map((type) => ({ const: type.type, title: type.title, description: type.description })) },
          },
          allOf: types.map(forType),
        },
      },
    },
  }
  // Formats of the house say how a text is read; a validator elsewhere need not know them.
  const ours = (key: string, value: unknown): boolean =>
    key === 'evaluate' || (key === 'format' && (value === 'expression' || value === 'literal'))
  return JSON.parse(JSON.stringify(schema, (key, value: unknown) => (ours(key, value) ? undefined : value))) as JsonObject
}
