import { isJsonObject, type Json } from './json.ts'

export interface JsonDifference {
  /** JSON Pointer (RFC 6901). */
  readonly path: string
  /** Left out where there was nothing. */
  readonly before?: Json
  /** Left out where there is nothing. */
  readonly after?: Json
}

interface Options {
  /** What stands before each path. */
  readonly path?: string
  /** Whatever stands at or below such a path may differ. */
  readonly ignored?: (path: string) => boolean
  /** So many are listed. */
  readonly most?: number
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')

/** Whether a JSON Pointer lies at or below one of those given, in which `*` stands for any name. */
export const atOrBelow = (pointers: readonly string[]): ((path: string) => boolean) => {
  const patterns = pointers.map((pointer) => pointer.split('/'))
  return (path) => {
    const parts = path.split('/')
    return patterns.some(
      (pattern) => pattern.length <= parts.length && pattern.every((part, index) => part === '*' || part === parts[index]),
    )
  }
}

interface Walk {
  readonly found: JsonDifference[]
  readonly ignored: (path: string) => boolean
  readonly most: number
}

/** Where two values differ, as deep down as can be said. The order of an object's fields is no difference; that of a list's elements is. */
export const jsonDifferences = (before: Json | undefined, after: Json | undefined, options: Options = {}): JsonDifference[] => {
  const { path = '', ignored = () => false, most = Infinity } = options
  const walk: Walk = { found: [], ignored, most }
  compare(before, after, path, walk)
  return walk.found
}

const own = (object: { readonly [name: string]: Json }, name: string): Json | undefined =>
  Object.hasOwn(object, name) ? object[name] : undefined

const compare = (before: Json | undefined, after: Json | undefined, path: string, walk: Walk): void => {
  if (before === after || walk.found.length >= walk.most || walk.ignored(path)) return
  if (Array.isArray(before) && Array.isArray(after)) {
    const [left, right] = [before as readonly Json[], after as readonly Json[]]
    for (let index = 0; index < Math.max(left.length, right.length); index += 1)
      compare(left[index], right[index], `${path}/${index}`, walk)
    return
  }
  if (before !== undefined && after !== undefined && isJsonObject(before) && isJsonObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
      compare(own(before, name), own(after, name), `${path}/${escaped(name)}`, walk)
    return
  }
  walk.found.push({ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) })
}
