import type { Json } from '../../lib/json.ts'

/** What an expression computes with: JSON, and three kinds of value that JSON has no room for. Numbers are of one kind, as in JSON. */
export type Value = null | boolean | number | string | readonly Value[] | ValueMap | Instant | Duration | Optional

export interface ValueMap {
  readonly [key: string]: Value
}

/** A point in time. Leaves an expression as ISO 8601 text in UTC. */
export class Instant {
  readonly ms: number
  constructor(ms: number) {
    this.ms = ms
  }
}

/** A length of time. Leaves an expression as text in seconds, `"90s"`, as CEL's JSON form has it. */
export class Duration {
  readonly ms: number
  constructor(ms: number) {
    this.ms = ms
  }
}

/** What `.?` gives; `undefined` when there is nothing. Leaves an expression as its value, or null. */
export class Optional {
  readonly value: Value | undefined
  constructor(value: Value | undefined) {
    this.value = value
  }
}

export type Kind = 'null' | 'bool' | 'number' | 'string' | 'list' | 'map' | 'timestamp' | 'duration' | 'optional'

export const kindOf = (value: Value): Kind => {
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'number':
      return 'number'
    case 'boolean':
      return 'bool'
    default:
      if (value === null) return 'null'
      if (Array.isArray(value)) return 'list'
      if (value instanceof Instant) return 'timestamp'
      if (value instanceof Duration) return 'duration'
      return value instanceof Optional ? 'optional' : 'map'
  }
}

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value)

export const isMap = (value: Value): value is ValueMap =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Instant || value instanceof Duration || value instanceof Optional)

export type FaultCode =
  | 'expression.syntax'
  | 'expression.unknown_name'
  | 'expression.type'
  | 'expression.missing'
  | 'expression.number'
  | 'expression.argument'
  | 'expression.limit'

/** Why an expression could not be compiled or evaluated. `offset` counts from the start of the expression's own text. */
export class Fault extends Error {
  readonly code: FaultCode
  /** -1: not known where it was thrown; the call it happened in fills it in. */
  readonly offset: number
  /** What to add to the message; worked out only for a fault that somebody reads, because many are caught by the expression itself. */
  readonly help: () => string

  constructor(code: FaultCode, message: string, offset = -1, help = (): string => '') {
    super(message)
    this.code = code
    this.offset = offset
    this.help = help
  }
}

export const limits = {
  /** Characters of one expression. */
  expression_chars: 10_000,
  /** Nodes of its syntax tree. */
  nodes: 2_000,
  depth: 64,
  /** Work of one evaluation: about one per syntax node run, more for what touches long texts and lists. */
  work: 1_000_000,
  /** Work of all evaluations that one step does for the elements of lists: each is one of at most `work`, and 100,000 elements get 1,000 each. */
  item_work: 100_000_000,
  /** Characters of any text while evaluating and at the end. */
  text: 1024 * 1024,
  /** Elements of any list that an expression builds. */
  elements: 100_000,
} as const

/** What one evaluation may still do. */
export interface Budget {
  left: number
}

export const spend = (budget: Budget, amount: number): void => {
  budget.left -= amount
  if (budget.left < 0)
    throw new Fault('expression.limit', 'The expression does too much work: it runs over too many elements, or builds too much')
}

/** The names of an object's fields. Those of a large one are not at hand for the runtime: each costs two steps. */
export const keysOf = (map: ValueMap, budget: Budget): readonly string[] => {
  const keys = Object.keys(map)
  spend(budget, 2 * keys.length)
  return keys
}

/** What it costs to look through so many characters one by one. */
export const text_cost = (characters: number): number => characters >> 6

/** An error takes some 10 µs to make: as long as so many steps. Where errors are caught, they are charged for. */
export const fault_cost = 50

export const checkedText = (text: string): string => {
  if (text.length <= limits.text) return text
  throw new Fault('expression.limit', `The expression builds a text of ${text.length} characters; ${limits.text} are allowed`)
}

export const checkedNumber = (value: number): number => {
  if (Number.isFinite(value)) return value
  throw new Fault('expression.number', 'The result is not a number that JSON can hold')
}

/** Names that reach behind an object's own data in JavaScript; no expression may use them. */
export const forbiddenKey = (key: string): boolean => key === '__proto__'

const durationText = (ms: number): string => `${ms / 1000}s`

/** A value as plain JSON. Parts that are JSON already are handed on as they are, not copied. */
export const toJson = (value: Value, budget: Budget): Json => {
  if (typeof value === 'string') return checkedText(value)
  if (typeof value === 'number') return checkedNumber(value)
  if (typeof value !== 'object' || value === null) return value
  return compositeToJson(value, budget, 0)
}

const compositeToJson = (value: object & Value, budget: Budget, depth: number): Json => {
  if (value instanceof Instant) return new Date(value.ms).toISOString()
  if (value instanceof Duration) return durationText(value.ms)
  if (value instanceof Optional) return value.value === undefined ? null : toJson(value.value, budget)
  // Payloads come deep (a parser accepts 10,000 levels); the walk must not be what breaks.
  if (depth > 500) throw new Fault('expression.limit', 'The result is nested too deeply')
  const convert = (part: Value): Json => {
    if (typeof part === 'number') return checkedNumber(part)
    if (typeof part !== 'object' || part === null) {
      if (typeof part === 'string') spend(budget, part.length >> 4)
      return part
    }
    return compositeToJson(part, budget, depth + 1)
  }
  if (isList(value)) {
    spend(budget, value.length + 1)
    let changed = false
    const parts = value.map((part) => {
      const converted = convert(part)
      changed ||= converted !== part
      return converted
    })
    return changed ? parts : (value as Json)
  }
  const entries = Object.entries(value)
  spend(budget, 4 * entries.length + 1)
  let changed = false
  const parts = entries.map(([key, part]): [string, Json] => {
    spend(budget, key.length >> 4)
    const converted = convert(part)
    changed ||= converted !== part
    return [key, converted]
  })
  return changed ? Object.fromEntries(parts) : (value as Json)
}
