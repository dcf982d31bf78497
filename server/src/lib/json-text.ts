import type { Json } from './json.ts'

/** Numbers that could be beyond what a double holds: 300 digits in a row, or an exponent of three. */
const maybeInfinite = /[0-9]{300}|[eE]\+?[0-9]{3}/

const finite = (_key: string, value: unknown): unknown => {
  if (value === Infinity || value === -Infinity) throw new SyntaxError('it holds a number that is too large')
  return value
}

/**
 * Parses JSON that a stranger wrote, and gives nothing that would not survive being written and read again. Throws a
 * `SyntaxError` whose message can be shown: not JSON, deeper than `max_depth` levels, or a number that becomes infinite.
 */
export const parseJsonText = (text: string, max_depth: number): Json => {
  if (isDeeperThan(text, max_depth)) throw new SyntaxError(`it nests deeper than ${max_depth} levels`)
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    throw new SyntaxError('it is not valid JSON')
  }
  return maybeInfinite.test(text) ? (JSON.parse(text, finite) as Json) : value
}

/**
 * Whether a JSON text nests arrays and objects deeper than `max`. Looks at the text alone, so that nothing deep is ever
 * built: a parser may cope with ten thousand levels where what comes after it (serialising, PostgreSQL) does not.
 */
export const isDeeperThan = (text: string, max: number): boolean => {
  // A text needs as many closing as opening marks: shorter ones cannot be that deep.
  if (text.length <= 2 * max) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      at = endOfString(text, at)
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > max) return true
    } else if (code === 0x5d || code === 0x7d) {
      depth--
    }
  }
  return false
}

/** The index of the quote that ends the string which begins at `from`; the end of the text when none does. */
const endOfString = (text: string, from: number): number => {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return at
  }
  return text.length
}
