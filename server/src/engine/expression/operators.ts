import {
  type Budget,
  checkedText,
  Duration,
  Fault,
  Instant,
  isList,
  isMap,
  type Kind,
  keysOf,
  kindOf,
  limits,
  Optional,
  spend,
  text_cost,
  type Value,
} from './value.ts'

const names: { readonly [kind in Kind]: string } = {
  null: 'null',
  bool: 'true or false',
  number: 'a number',
  string: 'a text',
  list: 'a list',
  map: 'an object',
  timestamp: 'a timestamp',
  duration: 'a duration',
  optional: 'an optional value (end it with `.orValue(…)`)',
}

export const nameOf = (kind: Kind): string => names[kind]

const mismatch = (operator: string, left: Kind, right: Kind): Fault =>
  new Fault('expression.type', `"${operator}" cannot be used between ${names[left]} and ${names[right]}${hint(operator, left, right)}`)

const hint = (operator: string, left: Kind, right: Kind): string =>
  operator === '+' && (left === 'string' || right === 'string') ? '; turn the other into text with `string(…)`' : ''

/** Whole numbers stay exact up to 2^53, or the expression says so; nothing becomes infinite. */
const number = (value: number, left: number, right: number): number => {
  if (!Number.isFinite(value)) throw new Fault('expression.number', 'The result is too large for a number')
  if (!Number.isSafeInteger(value) && Number.isSafeInteger(left) && Number.isSafeInteger(right) && Number.isInteger(value))
    throw new Fault('expression.number', `The result passes 2^53, beyond which JSON numbers are not exact`)
  return value
}

const divisor = (right: number): number => {
  if (right === 0) throw new Fault('expression.number', 'Division by zero')
  return right
}

export type Arithmetic = '+' | '-' | '*' | '/' | '%'

const numeric: { readonly [operator in Arithmetic]: (left: number, right: number) => number } = {
  '+': (left, right) => number(left + right, left, right),
  '-': (left, right) => number(left - right, left, right),
  '*': (left, right) => number(left * right, left, right),
  '/': (left, right) => number(left / divisor(right), left, right),
  '%': (left, right) => number(left % divisor(right), left, right),
}

const inTime = (ms: number): number => {
  // Years 1 to 9999, as CEL's timestamps.
  if (ms >= -62_135_596_800_000 && ms <= 253_402_300_799_999) return ms
  throw new Fault('expression.number', 'The timestamp lies outside the years 1 to 9999')
}

export const instant = (ms: number): Instant => new Instant(inTime(ms))

const temporal = (operator: Arithmetic, left: Value, right: Value): Value | undefined => {
  if (operator !== '+' && operator !== '-') return undefined
  const sign = operator === '+' ? 1 : -1
  if (left instanceof Instant && right instanceof Duration) return instant(left.ms + sign * right.ms)
  if (left instanceof Duration && right instanceof Duration) return new Duration(left.ms + sign * right.ms)
  if (left instanceof Duration && right instanceof Instant && sign === 1) return instant(left.ms + right.ms)
  return left instanceof Instant && right instanceof Instant && sign === -1 ? new Duration(left.ms - right.ms) : undefined
}

/** `left operator right`: numbers of one kind, texts and lists that are joined by `+`, and times. */
export const calculate = (operator: Arithmetic, left: Value, right: Value, budget: Budget): Value => {
  if (typeof left === 'number' && typeof right === 'number') return numeric[operator](left, right)
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') {
      spend(budget, (left.length + right.length) >> 5)
      return checkedText(left + right)
    }
    if (isList(left) && isList(right)) {
      spend(budget, left.length + right.length)
      return checkedList([...left, ...right])
    }
  }
  const result = temporal(operator, left, right)
  if (result === undefined) throw mismatch(operator, kindOf(left), kindOf(right))
  return result
}

export const checkedList = (list: readonly Value[]): readonly Value[] => {
  if (list.length <= limits.elements) return list
  throw new Fault('expression.limit', `The expression builds a list of ${list.length} elements; ${limits.elements} are allowed`)
}

export type Comparison = '<' | '<=' | '>' | '>='

/** Below 0, 0 or above 0. Texts compare by UTF-16 code units, as JavaScript's do. */
export const compare = (left: Value, right: Value, operator: Comparison | 'sort', budget: Budget): number => {
  if (typeof left === 'number' && typeof right === 'number') return left - right
  if (typeof left === 'string' && typeof right === 'string') {
    spend(budget, text_cost(Math.min(left.length, right.length)))
    return left < right ? -1 : Number(left > right)
  }
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right)
  if (left instanceof Instant && right instanceof Instant) return left.ms - right.ms
  if (left instanceof Duration && right instanceof Duration) return left.ms - right.ms
  throw mismatch(operator, kindOf(left), kindOf(right))
}

/** Equality by value, at any depth. Values of different kinds are not equal; that is no error. */
export const equal = (left: Value, right: Value, budget: Budget, depth = 0): boolean => {
  // Texts of different lengths are told apart at once.
  if (typeof left === 'string' && typeof right === 'string' && left.length === right.length) spend(budget, text_cost(left.length))
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  spend(budget, 1)
  if (depth > limits.depth * 8) throw new Fault('expression.limit', 'The values are nested too deeply to be compared')
  if (isList(left))
    return isList(right) && left.length === right.length && left.every((v, i) => equal(v, right[i] as Value, budget, depth + 1))
  if (left instanceof Instant) return right instanceof Instant && left.ms === right.ms
  if (left instanceof Duration) return right instanceof Duration && left.ms === right.ms
  if (left instanceof Optional) return right instanceof Optional && equalOptional(left, right, budget, depth)
  if (!isMap(left) || !isMap(right)) return false
  const keys = keysOf(left, budget)
  if (keys.length !== keysOf(right, budget).length) return false
  return keys.every((key) => Object.hasOwn(right, key) && equal(left[key] as Value, right[key] as Value, budget, depth + 1))
}

const equalOptional = (left: Optional, right: Optional, budget: Budget, depth: number): boolean =>
  left.value === undefined || right.value === undefined ? left.value === right.value : equal(left.value, right.value, budget, depth + 1)

/** `value in list`, `key in object`. */
export const contains = (value: Value, container: Value, budget: Budget): boolean => {
  if (isList(container)) {
    spend(budget, container.length)
    return container.some((element) => equal(element, value, budget))
  }
  if (isMap(container)) return typeof value === 'string' && Object.hasOwn(container, value)
  throw new Fault('expression.type', `"in" needs a list or an object on its right, not ${names[kindOf(container)]}`)
}
