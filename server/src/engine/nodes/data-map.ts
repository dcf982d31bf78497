import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import type { PerItem } from '../expression/config.ts'
import { pureInTurns } from '../node.ts'
import { Items, itemsOf, openRoom, perItem } from './items.ts'

export const mapNode = pureInTurns({
  type: 'data.map',
  title: 'Map',
  description: 'Makes a list with something for each element of another: the result of an expression, or an object of values.',
  icon: 'list-details',
  config: Type.Object(
    {
      items: Items,
      expression: Type.Optional(
        perItem('What becomes of an element: `item.price * item.quantity`. `item` and `index` (from 0) are at hand.'),
      ),
      values: Type.Optional(
        Type.Unsafe<PerItem>({
          type: 'object',
          additionalProperties: {},
          evaluate: 'per_item',
          description: 'Instead of `expression`: any JSON by name, in which `{{ … }}` may name `item` and `index`.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  check: (config) => {
    const given = ['expression', 'values'].filter((field) => config[field] !== undefined)
    return given.length === 1 ? [] : [{ path: '', message: 'It takes either "expression" or "values"' }]
  },
  output: Type.Array(Type.Unknown()),
  example: {
    config: { items: 'trigger.orders', values: { number: '{{ index + 1 }}', total: '{{ item.price * item.quantity }}' } },
    trigger: {
      orders: [
        { price: 5, quantity: 3 },
        { price: 2.5, quantity: 4 },
      ],
    },
    output: [
      { number: 1, total: 15 },
      { number: 2, total: 10 },
    ],
  },
  turns: function* ({ config: { items, expression, values } }) {
    const make = (expression ?? values) as PerItem
    const take = openRoom()
    const output: Json[] = []
    for (const [index, item] of itemsOf(items).entries()) {
      output.push(take(make(item, index)))
      yield
    }
    return { output }
  },
})
