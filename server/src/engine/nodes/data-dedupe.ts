import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import { pureInTurns } from '../node.ts'
import { Items, itemsOf, openRoom, perItem } from './items.ts'
import { keyText } from './json-order.ts'

export const dedupeNode = pureInTurns({
  type: 'data.dedupe',
  title: 'Remove duplicates',
  description:
    'Keeps one of the elements that are the same, as a whole or by an expression; those that stay are in their order. Objects with the same fields are the same, in whatever order those stand.',
  icon: 'copy-off',
  config: Type.Object(
    {
      items: Items,
      by: Type.Optional(
        perItem('Elements for which this gives the same count as the same: `item.email`. The whole element when not given.'),
      ),
      keep: Type.Optional(Type.Unsafe<'first' | 'last'>({ type: 'string', format: 'literal', enum: ['first', 'last'], default: 'first' })),
    },
    { additionalProperties: false },
  ),
  output: Type.Array(Type.Unknown()),
  example: {
    config: { items: 'trigger.visits', by: 'item.user', keep: 'last' },
    trigger: {
      visits: [
        { user: 'ann', page: 1 },
        { user: 'bob', page: 1 },
        { user: 'ann', page: 2 },
      ],
    },
    output: [
      { user: 'bob', page: 1 },
      { user: 'ann', page: 2 },
    ],
  },
  turns: function* ({ config: { items, by, keep = 'first' } }) {
    const take = openRoom()
    const list = itemsOf(items)
    const kept = new Map<string, number>()
    for (const [index, item] of list.entries()) {
      const key = keyText(take(by === undefined ? item : by(item, index)))
      if (keep === 'last') kept.delete(key)
      if (!kept.has(key)) kept.set(key, index)
      yield
    }
    return { output: [...kept.values()].map((index) => list[index] as Json) }
  },
})
