import { isJsonObject, type Json } from './json.ts'
import type { Interruptible } from './turns.ts'

export interface JsonDifference {
  /** JSON Pointer (RFC 6901). */
  readonly path: string
  /** Left out where there was nothing. */
  readonly before?: Json
  /** Left out where there is nothing. */
  readonly after?: Json
}

/** JSON Pointers, `*` in them standing for any name, as a tree: what is looked at costs no more however many there are. */
interface Pointers {
  ends: boolean
  readonly next: Map<string, Pointers>
}

export const pointersOf = (pointers: readonly string[]): Pointers => {
  const root: Pointers = { ends: false, next: new Map() }
  for (const pointer of pointers) {
    let at = root
    for (const name of pointer.split('/').slice(1)) {
      const known = at.next.get(name) ?? { ends: false, next: new Map<string, Pointers>() }
      at.next.set(name, known)
      at = known
    }
    at.ends = true
  }
  return root
}

const below = (at: readonly Pointers[], name: string): readonly Pointers[] =>
  at.length === 0 ? at : at.flatMap(({ next }) => [next.get(name), next.get('*')].filter((found) => found !== undefined))

interface Options {
  /** What stands before each path, as a JSON Pointer. */
  readonly path?: string
  /** Whatever stands at or below one of them may differ. */
  readonly ignored?: Pointers
  /** So many are listed. */
  readonly most?: number
}

interface Walk {
  readonly found: JsonDifference[]
  readonly most: number
  /** Values looked at since others had their turn. */
  seen: number
}

const a_turn = 1_000

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')

/** Where two values differ, as deep down as can be said. The order of an object's fields is no difference; that of a list's elements is. */
export const jsonDifferences = function* (
  before: Json | undefined,
  after: Json | undefined,
  options: Options = {},
): Interruptible<JsonDifference[]> {
  const { path = '', ignored, most = Infinity } = options
  const walk: Walk = { found: [], most, seen: 0 }
  let at: readonly Pointers[] = ignored === undefined ? [] : [ignored]
  for (const name of path.split('/').slice(1)) at = at.some(({ ends }) => ends) ? at : below(at, name)
  yield* compare(before, after, path, at, walk)
  return walk.found
}

const own = (object: { readonly [name: string]: Json }, name: string): Json | undefined =>
  Object.hasOwn(object, name) ? object[name] : undefined

const compare = function* (
  before: Json | undefined,
  after: Json | undefined,
  path: string,
  at: readonly Pointers[],
  walk: Walk,
): Interruptible<void> {
  if (before === after || walk.found.length >= walk.most || at.some(({ ends }) => ends)) return
  walk.seen += 1
  if (walk.seen % a_turn === 0) yield
  if (Array.isArray(before) && Array.isArray(after)) {
    const [left, right] = [before as readonly Json[], after as readonly Json[]]
    for (let index = 0; index < Math.max(left.length, right.length) && walk.found.length < walk.most; index += 1) {
      if (left[index] === right[index]) continue
      yield* compare(left[index], right[index], `${path}/${index}`, below(at, String(index)), walk)
    }
    return
  }
  if (before !== undefined && after !== undefined && isJsonObject(before) && isJsonObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const [left, right] = [own(before, name), own(after, name)]
      if (left === right) continue
      const escapedName = escaped(name)
      yield* compare(left, right, `${path}/${escapedName}`, below(at, escapedName), walk)
    }
    return
  }
  walk.found.push({ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) })
}
