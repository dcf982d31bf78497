import { cel, type Cel, loose, optionalKey, Untranslatable, wrapped } from './cel.ts'
import type { Names, Place } from './names.ts'
import type { Tree } from './pieces.ts'

/** A path that may break off, before it is ended. */
export interface Path {
  readonly place: Place
  readonly keys: readonly (string | number | Cel)[]
  /** An item of the other workflow: its value stands under `json` there. */
  readonly is_item: boolean
}

export type Value = { readonly path: Path } | { readonly cel: Cel }

export interface Translation {
  /** Reads any expression, in the same surroundings. */
  readonly read: (tree: Tree, t: Translation) => Value
  readonly names: Names
  /** Parameters of functions, and the names that they have in CEL. */
  readonly locals: ReadonlyMap<string, { readonly name: string; readonly is_item: boolean }>
  readonly notes: Set<string>
}

export const pathTo = (place: Place, is_item = false): Value => ({ path: { place, keys: [], is_item } })

/** A path with its end: null where there is nothing. */
export const ended = (value: Value): Cel => {
  if ('cel' in value) return value.cel
  const { place, keys, is_item } = value.path
  const [first, ...rest] = keys
  if (first === undefined) return cel(place.path, is_item ? 'item' : null)
  const renamed =
    typeof first === 'string' && place.fields !== undefined && Object.hasOwn(place.fields, first) ? place.fields[first] : first
  if (renamed === null) return cel('null', 'null')
  return cel(`${place.path}${[renamed as string, ...rest].map(optionalKey).join('')}.orValue(null)`)
}

export const textOf = (tree: Tree, t: Translation): Cel => ended(t.read(tree, t))

export const plus = (left: Cel, right: Cel): Cel => {
  const is_text = left.kind === 'string' || right.kind === 'string'
  const [a, b] = is_text ? [asTextTight(left), asTextTight(right)] : [wrapped(left), wrapped(right)]
  return loose(`${a} + ${b}`, is_text ? 'string' : left.kind === 'number' && right.kind === 'number' ? 'number' : null)
}

export const asTextTight = (value: Cel): string => (value.kind === 'string' ? wrapped(value) : `string(${value.text})`)

/** A function of one parameter as the rest of a macro: `x, x.total > 1`. */
export const lambda = (tree: Tree | undefined, t: Translation, is_item: boolean): { readonly name: string; readonly body: Cel } => {
  if (tree?.type !== 'ArrowFunctionExpression' && tree?.type !== 'FunctionExpression')
    throw new Untranslatable('Only a function given in place has a counterpart')
  const [parameter, ...more] = tree['params'] as readonly Tree[]
  if (more.length > 0) throw new Untranslatable('A function of more than one parameter has no counterpart')
  if (parameter !== undefined && parameter.type !== 'Identifier')
    throw new Untranslatable('Parameters that are taken apart have no counterpart')
  const name = `${(parameter?.['name'] as string | undefined) ?? 'each'}_`.replaceAll('$', '_')
  const locals = new Map(t.locals)
  if (parameter !== undefined) locals.set(parameter['name'], { name, is_item })
  return { name, body: textOf(bodyOf(tree), { ...t, locals }) }
}

const bodyOf = (tree: Tree): Tree => {
  const body = tree['body'] as Tree
  if (body.type !== 'BlockStatement') return body
  const [only, ...rest] = body['body'] as readonly Tree[]
  if (only?.type !== 'ReturnStatement' || rest.length > 0 || only['argument'] === null)
    throw new Untranslatable('A function with statements has no counterpart')
  return only['argument'] as Tree
}
