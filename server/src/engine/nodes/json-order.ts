import { jsonSize } from '../../lib/json-size.ts'
import { isJsonObject, type Json } from '../../lib/json.ts'
import type { Interruptible } from '../../lib/turns.ts'
import { NodeFailure } from '../node.ts'

/** Characters of a list or an object that are compared by their text. */
const most_chars = 1024 * 1024

/** One text for all values that are the same: the order of an object's fields means nothing. Errors: `data.too_large`. */
export const keyText = (value: Json): string => {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (jsonSize(value, most_chars) === null)
    throw new NodeFailure({
      code: 'data.too_large',
      message: `A list or an object of more than ${most_chars / 1024 / 1024} MiB is not compared`,
    })
  return JSON.stringify(value, (_, part: Json) => (isJsonObject(part) ? sorted(part) : part))
}

/** Without a prototype: a field may be called `__proto__`. */
const sorted = (object: { readonly [key: string]: Json }): object => {
  const made = Object.create(null) as { [key: string]: Json }
  for (const key of Object.keys(object).toSorted()) made[key] = object[key] as Json
  return made
}

/** What a value is ordered by, made once for each: its kind's rank, and what orders those of one kind. */
export interface OrderKey {
  readonly rank: number
  readonly by: number | string
}

/** null, false, true, numbers, texts, lists, objects. Lists and objects have no order of their own: they are ordered by their text as JSON. */
export const orderKey = (value: Json): OrderKey => {
  if (value === null) return { rank: 0, by: 0 }
  if (typeof value === 'boolean') return { rank: 1, by: Number(value) }
  if (typeof value === 'number') return { rank: 2, by: value }
  if (typeof value === 'string') return { rank: 3, by: value }
  return { rank: Array.isArray(value) ? 4 : 5, by: keyText(value) }
}

/** Below 0 when `a` comes first. Texts by their UTF-16 units, as JavaScript and JSON tools have it. */
export const compareKeys = (a: OrderKey, b: OrderKey): number => {
  if (a.rank !== b.rank) return a.rank - b.rank
  return a.by < b.by ? -1 : a.by > b.by ? 1 : 0
}

/** Elements between two chances for others to have their turn. */
const stretch = 32

/** Sorts by merging, in pieces: what compares as equal stays in its order. */
export const sortInTurns = function* <T>(list: readonly T[], compare: (a: T, b: T) => number): Interruptible<T[]> {
  let from = [...list]
  let to: T[] = Array.from({ length: from.length })
  for (let width = 1; width < from.length; width *= 2) {
    for (let start = 0; start < from.length; start += 2 * width) {
      const middle = Math.min(start + width, from.length)
      const end = Math.min(start + 2 * width, from.length)
      let left = start
      let right = middle
      for (let index = start; index < end; index += 1) {
        const takes_left = left < middle && (right >= end || compare(from[left] as T, from[right] as T) <= 0)
        to[index] = from[takes_left ? left++ : right++] as T
        if (index % stretch === 0) yield
      }
    }
    ;[from, to] = [to, from]
  }
  return from
}
