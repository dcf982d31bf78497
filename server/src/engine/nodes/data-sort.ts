import { Type } from 'typebox'
import type { Json } from '../../lib/json.ts'
import { pureInTurns } from '../node.ts'
import { Items, itemsOf, openRoom, perItem } from './items.ts'
import { compareKeys, type OrderKey, orderKey, sortInTurns } from './json-order.ts'

interface Keyed {
  readonly item: Json
  readonly keys: readonly OrderKey[]
}

export const sortNode = pureInTurns({
  type: 'data.sort',
  title: 'Sort',
  description:
    'Orders a list by one expression or several: what is equal by the first is ordered by the second, and what is equal by all stays in its order. Ascending: null, false, true, numbers, texts by their characters’ codes, lists, objects (both by their text as JSON). Descending: the other way round.',
  icon: 'sort-ascending',
  config: Type.Object(
    {
      items: Items,
      by: Type.Array(
        Type.Object(
          {
            expression: perItem('What an element is ordered by: `item.created_at`.'),
            order: Type.Optional(Type.Unsafe<'asc' | 'desc'>({ type: 'string', format: 'literal', enum: ['asc', 'desc'], default: 'asc' })),
          },
          { additionalProperties: false },
        ),
        { minItems: 1, maxItems: 20, description: '`expression` and `order` (`asc` or `desc`) of each.' },
      ),
    },
    { additionalProperties: false },
  ),
  output: Type.Array(Type.Unknown()),
  example: {
    config: { items: 'trigger.people', by: [{ expression: 'item.team' }, { expression: 'item.age', order: 'desc' }] },
    trigger: {
      people: [
        { team: 'b', age: 30 },
        { team: 'a', age: 20 },
        { team: 'a', age: 40 },
      ],
    },
    output: [
      { team: 'a', age: 40 },
      { team: 'a', age: 20 },
      { team: 'b', age: 30 },
    ],
  },
  turns: function* ({ config: { items, by } }) {
    const take = openRoom()
    const keyed: Keyed[] = []
    for (const [index, item] of itemsOf(items).entries()) {
      keyed.push({ item, keys: by.map(({ expression }) => orderKey(take(expression(item, index)))) })
      yield
    }
    const signs = by.map(({ order }) => (order === 'desc' ? -1 : 1))
    const compare = (a: Keyed, b: Keyed): number => {
      for (let index = 0; index < signs.length; index += 1) {
        const order = compareKeys(a.keys[index] as OrderKey, b.keys[index] as OrderKey)
        if (order !== 0) return order * (signs[index] as number)
      }
      return 0
    }
    const output = yield* sortInTurns(keyed, compare)
    return { output: output.map(({ item }) => item) }
  },
})
