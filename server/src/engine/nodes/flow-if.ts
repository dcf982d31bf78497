import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import { pure } from '../node.ts'
import { conditionOf } from './items.ts'

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
  example: { config: { condition: 'trigger.total > 100' }, trigger: { total: 250 }, output: { total: 250 }, ports: ['true'] },
  run: ({ config, input }) => ({ output: input, port: String(conditionOf(config.condition, '/condition')) }),
})
