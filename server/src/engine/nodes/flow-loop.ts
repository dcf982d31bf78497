import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import { DefinitionEdge, DefinitionNode } from '../graph/definition.ts'
import type { NodeType } from '../node.ts'

/** What a loop repeats. */
const body = Type.Object(
  { nodes: Type.Array(DefinitionNode, { minItems: 0 }), edges: Type.Array(DefinitionEdge) },
  {
    additionalProperties: false,
    description: 'The nodes that are repeated and the edges between them. Their ids are unique in the whole definition.',
  },
)

export const loopNode: NodeType = {
  kind: 'region',
  repeats: 'each',
  type: 'flow.loop',
  title: 'Loop',
  description: 'Runs its body once for each item of a list, with `item` and `index` in its expressions.',
  icon: 'repeat',
  config: Type.Object(
    {
      items: Type.Unsafe<Json>({
        anyOf: [{ type: 'string', format: 'expression', minLength: 1 }, { type: 'array' }],
        description: 'An expression that gives a list, or the list itself.',
      }),
      body,
      parallel: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 1, description: 'Items that are worked on at a time.' })),
      batch_size: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 100_000, default: 1, description: 'With more than 1 `item` is a list of so many.' }),
      ),
      on_item_error: Type.Optional(
        Type.Unsafe<'fail' | 'collect'>({
          ...{ type: 'string', format: 'literal', enum: ['fail', 'collect'], default: 'fail' },
          description: 'What an item that fails leads to: the end of the loop, or a line in `errors`.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  example: {
    config: {
      items: '{{ trigger.orders }}',
      body: { nodes: [{ id: 'line', type: 'data.set', config: { values: { total: '{{ item.price * item.count }}' } } }], edges: [] },
    },
    trigger: { orders: [{ price: 10, count: 2 }] },
  },
  output: Type.Object({
    items: Type.Array(Type.Unknown(), { description: 'The last output of the body for each item; null for one that failed.' }),
    errors: Type.Array(
      Type.Object({ index: Type.Integer(), code: Type.String(), message: Type.String(), details: Type.Unknown(), node_id: Type.String() }),
    ),
  }),
}

export const whileNode: NodeType = {
  kind: 'region',
  repeats: 'while',
  type: 'flow.while',
  title: 'While',
  description:
    'Runs its body as long as a condition holds. `item` is what the iteration before gave, the input at first; `index` counts from 0.',
  icon: 'rotate',
  config: Type.Object(
    {
      condition: Type.Unsafe<Json>({
        anyOf: [{ type: 'string', format: 'expression', minLength: 1 }, { type: 'boolean' }],
        description: 'An expression that gives true or false; asked before each iteration.',
      }),
      body,
      max_iterations: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 1_000,
          description: 'The node fails when the condition still holds after so many.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  example: {
    config: {
      condition: 'item.page < 3',
      body: { nodes: [{ id: 'next', type: 'data.set', config: { values: { page: '{{ item.page + 1 }}' } } }], edges: [] },
    },
    trigger: { page: 1 },
  },
  output: Type.Object({
    item: Type.Unknown({ description: 'What the last iteration gave; the input when there was none.' }),
    iterations: Type.Integer(),
  }),
}
