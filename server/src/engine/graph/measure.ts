import { limits } from './definition.ts'

/** Deeper than any config may be, with room for what stands around it. */
const most_depth = limits.config_depth + 16

const large = `The definition is larger than ${limits.bytes / 1024 / 1024} MiB`

/**
 * Whether a value is of a size that the check can take: null if it is, else what is wrong. It walks without recursion, and no further
 * than the limits reach, so that nothing can be hidden in depth or breadth. Text is counted in UTF-16 units, the rest in a few each.
 */
export const tooLarge = (definition: unknown): string | null => {
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value: definition, depth: 0 }]
  let size = 0
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next
    size += typeof value === 'string' ? value.length + 2 : 4
    if (typeof value === 'object' && value !== null) {
      if (depth > most_depth) return `The definition is nested more than ${most_depth} levels deep`
      const list = Array.isArray(value)
      const keys = list ? [] : Object.keys(value)
      if (4 * (list ? value.length : keys.length) > limits.bytes) return large
      if (list) for (const part of value) open.push({ value: part, depth: depth + 1 })
      for (const key of keys) {
        size += key.length
        open.push({ value: (value as { readonly [key: string]: unknown })[key], depth: depth + 1 })
      }
    }
    if (size > limits.bytes) return large
  }
  return null
}
