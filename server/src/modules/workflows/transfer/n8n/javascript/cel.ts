/** What is known of a value before it is there. `items` and `item`: of n8n, where each value stands under `json`, which it does not here. */
export type Kind = 'bool' | 'string' | 'number' | 'list' | 'map' | 'time' | 'items' | 'item' | 'null' | null

/** A piece of CEL. `tight`: it can stand before a dot as it is. `keys`: a path from `base` that may break off anywhere. */
export interface Cel {
  readonly text: string
  readonly kind: Kind
  readonly tight: boolean
}

export class Untranslatable extends Error {}

export const cel = (text: string, kind: Kind = null, tight = true): Cel => ({ text, kind, tight })

export const loose = (text: string, kind: Kind = null): Cel => ({ text, kind, tight: false })

export const wrapped = ({ text, tight }: Cel): string => (tight ? text : `(${text})`)

export const quoted = (text: string): string => JSON.stringify(text).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, escaped)

const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

/** A JSON value as CEL. */
export const literal = (value: unknown): string => {
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, each]) => `${quoted(key)}: ${literal(each)}`)
      .join(', ')}}`
  if (typeof value === 'number') return numeral(value)
  return typeof value === 'boolean' ? String(value) : 'null'
}

export const numeral = (value: number): string => {
  if (!Number.isFinite(value)) throw new Untranslatable('A number that JSON does not have')
  const text = String(value)
  // CEL takes whole numbers for 64-bit integers.
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(value) ? `${text}.0` : text
}

const reserved = new Set(
  'as break const continue else false for function if import in let loop namespace null package return true var void while'.split(' '),
)

/** `.?name` or `[?"na me"]`: nothing where the path breaks off. */
export const optionalKey = (key: string | number | Cel): string => {
  if (typeof key === 'number') return `[?${key}]`
  if (typeof key !== 'string') return `[?${key.text}]`
  if (key === '__proto__') throw new Untranslatable('__proto__ is not data')
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) && !reserved.has(key) ? `.?${key}` : `[?${quoted(key)}]`
}

export const asText = (value: Cel): string => (value.kind === 'string' ? value.text : `string(${value.text})`)

/** What JavaScript takes for true. */
export const asTruth = (value: Cel): string => (value.kind === 'bool' ? value.text : `truthy(${value.text})`)

export const asTruthTight = (value: Cel): string => (value.kind === 'bool' ? wrapped(value) : `truthy(${value.text})`)
