import { Type } from 'typebox'
import { effect, NodeFailure } from '../../../../engine/node.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../lib/json.ts'
import type { Definition } from '../../../../engine/graph/definition.ts'
import type { Problem } from '../../schema.ts'
import { placeholder_type } from './placeholder-type.ts'

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value.slice(0, 200) : '?')

const kept = <T>(schema: object, description: string) => Type.Unsafe<T>({ ...schema, evaluate: 'never', description })

/** A node of n8n that has no counterpart. It can be drawn, saved and published, and says what it was when its turn comes. */
export const placeholderNode = effect({
  type: placeholder_type,
  title: 'Left over from n8n',
  description:
    'Keeps a node of n8n that has no counterpart here, as it was. When its turn comes it fails, and says what is to be put in its place.',
  icon: 'puzzle-off',
  config: Type.Object(
    {
      original: kept<JsonObject>({ type: 'object' }, 'The node as it stood in the file.'),
      parts: Type.Optional(
        kept<readonly JsonObject[]>(
          { type: 'array', items: { type: 'object' } },
          'The models, tools and memories that were plugged into it.',
        ),
      ),
    },
    { additionalProperties: false },
  ),
  output: Type.Unknown(),
  example: {
    config: { original: { name: 'Post it', type: 'n8n-nodes-base.slack', typeVersion: 2, parameters: { text: '={{ $json.text }}' } } },
  },
  run: ({ config: { original } }) => {
    const name = textOf(original['name'])
    const type = textOf(original['type'])
    const message = `"${name}" was taken over from n8n (${type}) and has no counterpart here: put another node in its place`
    return Promise.reject(new NodeFailure({ code: 'n8n.left_over', message, details: { name, type } }))
  },
})

const inNodes = (nodes: readonly Json[], path: string): readonly Problem[] =>
  nodes.flatMap((node, index): readonly Problem[] => {
    if (!isJsonObject(node) || !isJsonObject(node['config'])) return []
    const at = `${path}/${index}`
    const { id, type, config } = node
    const { body, original } = config
    const inner = isJsonObject(body) && Array.isArray(body['nodes']) ? inNodes(body['nodes'], `${at}/config/body/nodes`) : []
    if (type !== placeholder_type) return inner
    const was = isJsonObject(original) ? textOf(original['type']) : '?'
    return [
      {
        ...(typeof id === 'string' ? { node_id: id } : {}),
        path: `${at}/type`,
        severity: 'warning',
        message: `This was ${was} in n8n and refuses to run: put another node in its place`,
      },
    ]
  })

/** Warnings for what cannot run: it may stand where nothing leads to yet. */
export const placeholderProblems = ({ nodes }: Definition): readonly Problem[] => inNodes(nodes, '/nodes')
