import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import { NodeFailure, pure } from '../node.ts'

export const ifNode = pure({
  type: 'flow.if',
  title: 'If',
  description: 'Goes on through `true` or `false`, with its input.',
  icon: 'arrows-split',
  config: Type.Object(
    {
      condition: Type.Unsafe<Json>({
        anyOf: [{ type: 'string', format: 'expression', minLength: 1 }, { type: 'boolean' }],
        description: 'An expression that gives true or false.',
      }),
    },
    { additionalProperties: false },
  ),
  output: Type.Unknown({ description: 'The input.' }),
  ports: ['true', 'false'],
  run: ({ config, input }) => {
    const { condition } = config
    if (typeof condition === 'boolean') return { output: input, port: String(condition) }
    const kind =
      condition === null
        ? 'null'
        : Array.isArray(condition)
          ? 'a list'
          : typeof condition === 'object'
            ? 'an object'
            : `a ${typeof condition}`
    throw new NodeFailure({
      code: 'flow.not_a_condition',
      message: `The condition gave ${kind}, not true or false`,
      details: { field: '/condition' },
    })
  },
})
