import { isJsonObject, type Json } from '../../lib/json.ts'

export interface Difference {
  /** JSON Pointer into what was expected. */
  readonly path: string
  /** Left out where nothing was expected there. */
  readonly expected?: Json
  /** Left out where there is nothing. */
  readonly actual?: Json
}

/** So many are listed of one comparison. */
const most_listed = 50
/** Of a value that is shown in a difference, as JSON. */
const most_chars = 2_000

/** A value as a difference shows it. */
export const shownValue = (value: Json): Json => {
  const text = JSON.stringify(value)
  return text.length <= most_chars ? value : `${text.slice(0, most_chars)}…`
}

const escape = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')

/** Whether a JSON Pointer lies at or below one of those that may differ; `*` stands for any name. */
export const ignoring = (pointers: readonly string[]): ((path: string) => boolean) => {
  const patterns = pointers.map((pointer) => pointer.split('/'))
  return (path) => {
    const parts = path.split('/')
    return patterns.some(
      (pattern) => pattern.length <= parts.length && pattern.every((part, index) => part === '*' || part === parts[index]),
    )
  }
}

interface Walk {
  readonly found: Difference[]
  readonly ignored: (path: string) => boolean
}

/** Where two values differ, as deep down as can be said, in the order of what was expected. The order of an object's fields is none. */
export const differences = (
  expected: Json | undefined,
  actual: Json | undefined,
  path: string,
  ignored: (path: string) => boolean,
): readonly Difference[] => {
  const walk: Walk = { found: [], ignored }
  compare(expected, actual, path, walk)
  return walk.found
}

const compare = (expected: Json | undefined, actual: Json | undefined, path: string, walk: Walk): void => {
  if (expected === actual || walk.found.length >= most_listed || walk.ignored(path)) return
  if (Array.isArray(expected) && Array.isArray(actual)) {
    const [left, right] = [expected as readonly Json[], actual as readonly Json[]]
    for (let index = 0; index < Math.max(left.length, right.length); index += 1)
      compare(left[index], right[index], `${path}/${index}`, walk)
    return
  }
  if (expected !== undefined && actual !== undefined && isJsonObject(expected) && isJsonObject(actual)) {
    const own = (object: { readonly [name: string]: Json }, name: string): Json | undefined =>
      Object.hasOwn(object, name) ? object[name] : undefined
    for (const name of new Set([...Object.keys(expected), ...Object.keys(actual)]))
      compare(own(expected, name), own(actual, name), `${path}/${escape(name)}`, walk)
    return
  }
  walk.found.push({
    path,
    ...(expected === undefined ? {} : { expected: shownValue(expected) }),
    ...(actual === undefined ? {} : { actual: shownValue(actual) }),
  })
}
