import { Type, type Static, type TSchema } from 'typebox'
import { nodeTypes } from '../../engine/engine.ts'
import { definitionSchema as schemaOfDefinition } from '../../engine/definition-schema.ts'
import type { NodeType } from '../../engine/node.ts'
import type { App } from '../../platform/context.ts'
import { keyset, type PageQuery, pageOf, pageQuery } from '../../platform/http/paging.ts'
import { httpService } from '../../platform/http/http-service.ts'

export const JsonSchema = Type.Unsafe<TSchema>({ type: 'object', description: 'A JSON Schema (draft 2020-12).' })

const NodeTypeView = Type.Object({
  type: Type.String(),
  kind: Type.Union([Type.Literal('trigger'), Type.Literal('pure'), Type.Literal('effect'), Type.Literal('merge'), Type.Literal('region')]),
  title: Type.String(),
  description: Type.String(),
  icon: Type.String(),
  ports: Type.Union([Type.Array(Type.String()), Type.Null()], { description: 'Besides `error`. Null where they depend on the config.' }),
  config: JsonSchema,
  output: JsonSchema,
})

export const NodeTypes = pageOf(NodeTypeView)

const viewOf = ({ type, kind, title, description, icon, ports, config, output }: NodeType): Static<typeof NodeTypeView> => ({
  type,
  kind,
  title,
  description,
  icon,
  ports: ports === undefined ? ['out'] : typeof ports === 'function' ? null : [...ports],
  config,
  output,
})

export const nodeTypesQuery = {
  ...pageQuery,
  order: Type.Union([Type.Literal('asc'), Type.Literal('desc')], { default: 'asc', description: 'By name.' }),
}

const byType = keyset(Type.String())

/** Every node type that a definition may use, by name. */
export const nodeTypesOf = (app: App, query: PageQuery): Static<typeof NodeTypes> =>
  byType.pageOfAll([...app.use(nodeTypes).values()].map(viewOf), query, ({ type }) => type)

/** The published schema of a definition, with the config of each node type. */
export const definitionSchema = (app: App): TSchema => ({
  $id: `${app.use(httpService).url()}/api/v1/workflows/definition.schema.json`,
  ...schemaOfDefinition(app.use(nodeTypes)),
})
