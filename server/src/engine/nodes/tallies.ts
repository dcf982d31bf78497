import type { Json } from '../../lib/json.ts'
import { compareKeys, type OrderKey, orderKey } from './json-order.ts'

/** What one field of an aggregate has gathered so far. */
export interface Tally {
  /** Answers what it takes when the value is nothing of the kind. */
  readonly add: (value: Json) => string | undefined
  readonly result: () => Json
}

const counting = (): Tally => {
  let count = 0
  return { add: (value) => void (count += value === null ? 0 : 1), result: () => count }
}

const adding = (finish: (sum: number, count: number) => Json) => (): Tally => {
  let sum = 0
  let count = 0
  const add = (value: Json): string | undefined => {
    if (value === null) return undefined
    if (typeof value !== 'number') return 'numbers'
    sum += value
    count += 1
    return undefined
  }
  return { add, result: () => finish(sum, count) }
}

const extreme = (sign: 1 | -1) => (): Tally => {
  let best: { readonly key: OrderKey; readonly value: Json } | null = null
  const add = (value: Json): undefined => {
    if (value === null) return
    const key = orderKey(value)
    if (best === null || compareKeys(key, best.key) * sign < 0) best = { key, value }
  }
  return { add, result: () => best?.value ?? null }
}

const first = (): Tally => {
  let kept: Json | undefined
  return { add: (value) => void (kept = kept === undefined ? value : kept), result: () => kept ?? null }
}

const last = (): Tally => {
  let kept: Json = null
  return { add: (value) => void (kept = value), result: () => kept }
}

const collecting = (): Tally => {
  const list: Json[] = []
  return { add: (value) => void list.push(value), result: () => list }
}

const joining = (separator: string): Tally => {
  const texts: string[] = []
  const add = (value: Json): string | undefined => {
    if (value === null) return undefined
    if (typeof value === 'object') return 'texts, numbers, true and false'
    texts.push(String(value))
    return undefined
  }
  return { add, result: () => texts.join(separator) }
}

/** What a field of an aggregate can be, by its `op`. */
export const ops = {
  count: counting,
  sum: adding((sum) => sum),
  avg: adding((sum, count) => (count === 0 ? null : sum / count)),
  min: extreme(1),
  max: extreme(-1),
  first,
  last,
  collect: collecting,
  join: joining,
} satisfies { readonly [op: string]: (separator: string) => Tally }
