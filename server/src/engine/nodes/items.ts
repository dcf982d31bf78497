import { Type } from 'typebox'
import { jsonSize } from '../../lib/json-size.ts'
import type { Json } from '../../lib/json.ts'
import type { PerItem } from '../expression/config.ts'
import { NodeFailure } from '../node.ts'

/** A list that a node goes over. */
export const Items = Type.Unsafe<Json>({
  anyOf: [{ type: 'string', format: 'expression', minLength: 1 }, { type: 'array' }],
  description: 'The list: an expression that gives one, as `trigger.body.orders`.',
})

/** An expression that is evaluated for each element. */
export const perItem = (description: string) =>
  Type.Unsafe<PerItem>({ type: 'string', format: 'expression', minLength: 1, evaluate: 'per_item', description })

const kindOf = (value: Json): string =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`

/** The elements. Errors: `data.not_a_list`. */
export const itemsOf = (items: Json): readonly Json[] => {
  if (Array.isArray(items)) return items as readonly Json[]
  throw new NodeFailure({ code: 'data.not_a_list', message: `The items are ${kindOf(items)}, not a list`, details: { field: '/items' } })
}

/** What a condition gave for one element. Errors: `flow.not_a_condition`. */
export const conditionOf = (value: Json, field: string, index: number | null = null): boolean => {
  if (typeof value === 'boolean') return value
  const where = index === null ? '' : ` for element ${index}`
  throw new NodeFailure({
    code: 'flow.not_a_condition',
    message: `The condition gave ${kindOf(value)}${where}, not true or false`,
    details: { field, ...(index === null ? {} : { index }) },
  })
}

/** Characters that one step may build up: more would not fit into its execution either. */
const most_chars = 64 * 1024 * 1024

/** Takes what a step builds and hands it on, as long as there is room for it. Errors: `data.too_large`. */
export const openRoom = (): ((value: Json) => Json) => {
  let left = most_chars
  return (value) => {
    const size = jsonSize(value, left)
    if (size === null)
      throw new NodeFailure({ code: 'data.too_large', message: `The step builds more than ${most_chars / 1024 / 1024} MiB from its items` })
    left -= size
    return value
  }
}
