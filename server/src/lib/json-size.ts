import type { Json } from './json.ts'

/** What a value takes beside the characters of its texts; also what keeps the walk over many small ones short. */
const per_value = 16

/**
 * About how many characters a value takes as JSON; null when that is more than `most`, which is as far as it looks. The same part may stand
 * in it many times over, as in what is merged from branches, so that a small value in memory can be a huge one when written.
 */
export const jsonSize = (value: Json, most: number): number | null => {
  const open: Json[] = [value]
  let size = 0
  while (open.length > 0) {
    const next = open.pop() as Json
    size += per_value
    if (typeof next === 'string') size += next.length
    else if (Array.isArray(next)) {
      if (size + per_value * next.length > most) return null
      for (const part of next as readonly Json[]) open.push(part)
    } else if (typeof next === 'object' && next !== null) {
      for (const [name, part] of Object.entries(next as { readonly [name: string]: Json })) {
        size += name.length
        open.push(part)
      }
    }
    if (size > most) return null
  }
  return size
}
