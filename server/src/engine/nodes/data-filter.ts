import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import type { PerItem } from '../expression/config.ts'
import { pureInTurns } from '../node.ts'
import { conditionOf, Items, itemsOf } from './items.ts'

export const filterNode = pureInTurns({
  type: 'data.filter',
  title: 'Filter',
  description: 'Keeps the elements of a list for which a condition is true, in their order.',
  icon: 'filter',
  config: Type.Object(
    {
      items: Items,
      condition: Type.Unsafe<PerItem>({
        anyOf: [{ type: 'string', format: 'expression', minLength: 1 }, { type: 'boolean' }],
        evaluate: 'per_item',
        description: 'Gives true for an element that is kept: `item.paid && index < 10`.',
      }),
    },
    { additionalProperties: false },
  ),
  output: Type.Array(Type.Unknown()),
  example: {
    config: { items: 'trigger.orders', condition: 'item.total >= 100' },
    trigger: {
      orders: [
        { id: 1, total: 250 },
        { id: 2, total: 20 },
      ],
    },
    output: [{ id: 1, total: 250 }],
  },
  turns: function* ({ config: { items, condition } }) {
    const output: Json[] = []
    for (const [index, item] of itemsOf(items).entries()) {
      if (conditionOf(condition(item, index), '/condition', index)) output.push(item)
      yield
    }
    return { output }
  },
})
