import type { Json } from './json.ts'

/** What a value takes beside the characters of its texts; also what keeps the walk over many small ones short. */
const per_value = 16

/** Deeper than any JSON that is let in; what goes on for ever goes on deeper. */
const most_depth = 1_000

/**
 * About how many characters a value takes as JSON; null when that is more than `most`, which is as far as it looks. The same part may stand
 * in it many times over, as in what is merged from branches, so that a small value in memory can be a huge one when written.
 */
export const jsonSize = (value: Json, most: number): number | null => {
  const left = leftAfter(value, most, 0)
  return left < 0 ? null : most - left
}

const leftAfter = (value: Json, room: number, depth: number): number => {
  let left = room - per_value
  if (typeof value === 'string') return left - value.length
  if (typeof value !== 'object' || value === null) return left
  if (depth > most_depth) return -1
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && left >= 0; index += 1) left = leftAfter(value[index] as Json, left, depth + 1)
    return left
  }
  const fields = value as { readonly [name: string]: Json }
  for (const name in fields) {
    left = leftAfter(fields[name] as Json, left - name.length, depth + 1)
    if (left < 0) return left
  }
  return left
}
