import type { Json } from '../../lib/json.ts'
import type { Root, Scope } from './scope.ts'
import { forbiddenKey } from './value.ts'

const plain = /^\s*([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)\s*$/

export interface PlainPath {
  readonly root: Root
  readonly keys: readonly string[]
  readonly offset: number
}

/** `trigger.body.name` or `item`, what most expressions are; null for anything else. */
export const plainPath = (text: string, roots: ReadonlySet<Root>): PlainPath | null => {
  const found = text.length > 1000 ? null : plain.exec(text)
  if (!found) return null
  const root = found[1] as Root
  const keys = found[2] === '' ? [] : (found[2] as string).slice(1).split('.')
  const literal = (key: string): boolean => key === 'true' || key === 'false' || key === 'null' || key === 'in'
  if (!roots.has(root) || keys.some((key) => literal(key) || forbiddenKey(key))) return null
  return { root, keys, offset: text.indexOf(root) }
}

/** Reads a path without evaluating CEL. Undefined when something on the way is missing: the full evaluation then says what. */
export const pathReader = ({ root, keys }: PlainPath): ((scope: Scope) => Json | undefined) | null => {
  if (root === 'index') return null
  if (root !== 'steps') return (scope) => read(scope[root], keys, 0)
  const [step, output] = keys
  if (step === undefined || output !== 'output') return null
  return (scope) => read(scope.output(step), keys, 2)
}

const read = (start: Json | undefined, keys: readonly string[], from: number): Json | undefined => {
  let value = start
  for (let index = from; index < keys.length; index += 1) {
    const key = keys[index] as string
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, key)) return undefined
    value = (value as { readonly [key: string]: Json })[key]
  }
  return value
}
