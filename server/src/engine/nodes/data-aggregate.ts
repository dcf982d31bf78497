import { Type, type Static } from 'typebox'
import type { Json, JsonObject } from '../../lib/json.ts'
import type { PerItem } from '../expression/config.ts'
import { NodeFailure, pureInTurns } from '../node.ts'
import { Items, itemsOf, openRoom, perItem } from './items.ts'
import { keyText } from './json-order.ts'
import { ops, type Tally } from './tallies.ts'

const AggregateField = Type.Object(
  {
    name: Type.String({ format: 'literal', minLength: 1, maxLength: 200, description: 'Of the field in the result.' }),
    op: Type.Unsafe<keyof typeof ops>({ type: 'string', format: 'literal', enum: Object.keys(ops) }),
    of: Type.Optional(perItem('What is counted, added up, …: `item.total`. Only `count` does without.')),
    separator: Type.Optional(Type.String({ maxLength: 100, default: ', ', description: 'Of `join`.' })),
  },
  { additionalProperties: false },
)

const groupNames = (config: JsonObject): readonly string[] => Object.keys(config['group_by'] ?? {})

interface Group {
  readonly names: { readonly [name: string]: Json }
  readonly tallies: readonly Tally[]
}

type Fields = readonly Static<typeof AggregateField>[]

const openGroup = (names: Group['names'], fields: Fields): Group => ({
  names,
  tallies: fields.map(({ op, separator = ', ' }) => ops[op](separator)),
})

const addTo = ({ tallies }: Group, fields: Fields, item: Json, index: number, take: (value: Json) => Json): void =>
  fields.forEach(({ name, op, of }, at) => {
    // `count` alone does without: it counts each element, whatever it is.
    const value = of === undefined ? true : of(item, index)
    const wrong = (tallies[at] as Tally).add(op === 'collect' || op === 'join' ? take(value) : value)
    if (wrong === undefined) return
    const message = `"${name}" (${op}) takes ${wrong}; element ${index} gives something else`
    throw new NodeFailure({ code: 'data.wrong_kind', message, details: { field: `/fields/${at}/of`, index } })
  })

const resultOf = ({ names, tallies }: Group, fields: Fields): Json => {
  const made = fields.map(({ name }, at): [string, Json] => [name, (tallies[at] as Tally).result()])
  const infinite = made.find(([, value]) => typeof value === 'number' && !Number.isFinite(value))
  if (infinite) throw new NodeFailure({ code: 'data.number', message: `"${infinite[0]}" is beyond the numbers that JSON can hold` })
  return { ...names, ...Object.fromEntries(made) }
}

export const aggregateNode = pureInTurns({
  type: 'data.aggregate',
  title: 'Aggregate',
  description:
    'Counts, adds up or collects the elements of a list: one object for the whole list or, with `group_by`, a list with one for each group, in the order in which the groups first appear. `sum` and `avg` take numbers, `min` and `max` anything in the order of `data.sort`; these, `join`, and `count` with `of`, leave nulls out. Of nothing, `count` and `sum` are 0, `collect` and `join` are empty, and the others null.',
  icon: 'sum',
  config: Type.Object(
    {
      items: Items,
      group_by: Type.Optional(
        Type.Unsafe<{ readonly [name: string]: PerItem }>({
          type: 'object',
          minProperties: 1,
          maxProperties: 20,
          additionalProperties: perItem('What elements of one group have in common.'),
          description: 'Expressions by name: `{ "country": "item.country" }`. Elements that give the same for all of them form a group.',
        }),
      ),
      fields: Type.Array(AggregateField, {
        minItems: 1,
        maxItems: 100,
        description:
          '`name`, `op`, `of` and `separator` of each. `op`: count, sum, avg, min, max, first, last, collect (a list) or join (a text).',
      }),
    },
    { additionalProperties: false },
  ),
  check: (config) => {
    const fields = config['fields'] as readonly { name: string; op: string; of?: string }[]
    const names = [...groupNames(config), ...fields.map(({ name }) => name)]
    const before = names.length - fields.length
    return fields.flatMap(({ name, op, of }, index) => [
      ...(names.indexOf(name) < before + index
        ? [{ path: `/fields/${index}/name`, message: `The result has a field "${name}" already` }]
        : []),
      ...(of === undefined && op !== 'count' ? [{ path: `/fields/${index}/of`, message: `"${op}" needs "of"` }] : []),
    ])
  },
  output: Type.Unknown({ description: 'An object; with `group_by`, a list of objects.' }),
  example: {
    config: {
      items: 'trigger.orders',
      group_by: { country: 'item.country' },
      fields: [
        { name: 'orders', op: 'count' },
        { name: 'revenue', op: 'sum', of: 'item.total' },
      ],
    },
    trigger: {
      orders: [
        { country: 'AT', total: 10 },
        { country: 'DE', total: 5 },
        { country: 'AT', total: 2.5 },
      ],
    },
    output: [
      { country: 'AT', orders: 2, revenue: 12.5 },
      { country: 'DE', orders: 1, revenue: 5 },
    ],
  },
  turns: function* ({ config: { items, group_by, fields } }) {
    const take = openRoom()
    const list = itemsOf(items)
    const groups = new Map<string, Group>()
    const by = Object.entries(group_by ?? {})
    const whole = openGroup({}, fields)
    for (const [index, item] of list.entries()) {
      let group = whole
      if (by.length > 0) {
        const names = Object.fromEntries(by.map(([name, expression]) => [name, expression(item, index)]))
        const key = keyText(names)
        group = groups.get(key) ?? openGroup(take(names) as Group['names'], fields)
        groups.set(key, group)
      }
      addTo(group, fields, item, index, take)
      yield
    }
    if (group_by === undefined) return { output: resultOf(whole, fields) }
    const output: Json[] = []
    for (const group of groups.values()) {
      output.push(resultOf(group, fields))
      yield
    }
    return { output }
  },
})
