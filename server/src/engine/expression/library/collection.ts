import { checkedList, compare, equal } from '../operators.ts'
import { checkedNumber, Fault, isList, isMap, keysOf, kindOf, spend, type Budget, type Value, type ValueMap } from '../value.ts'
import { define, wrongArgument, type LibraryFunction } from './function.ts'

const numbers = (list: readonly Value[]): readonly number[] => {
  const wrong = list.findIndex((element) => typeof element !== 'number')
  if (wrong === -1) return list as readonly number[]
  throw wrongArgument(`Element ${wrong} of the list is not a number`)
}

const extreme =
  (name: string, sign: 1 | -1) =>
  (budget: Budget, first: Value, second: Value | undefined): Value => {
    const list = second === undefined ? first : [first, second]
    if (!isList(list)) throw wrongArgument(`${name}() takes a list, or two values`)
    if (list.length === 0) throw wrongArgument(`${name}() of an empty list`)
    return list.reduce((best, element) => (compare(element, best, 'sort', budget) * sign > 0 ? element : best))
  }

const codePoints = (text: string): number => {
  let count = 0
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) index += 1
    count += 1
  }
  return count
}

const distinct = (budget: Budget, list: readonly Value[]): readonly Value[] => {
  const scalars = new Set<Value>()
  const others: Value[] = []
  return list.filter((element) => {
    if (typeof element !== 'object' || element === null) return !scalars.has(element) && scalars.add(element) !== undefined
    spend(budget, others.length)
    return !others.some((other) => equal(other, element, budget)) && others.push(element) > 0
  })
}

const round = (_: Budget, value: number, digits = 0): number => {
  if (!Number.isInteger(digits) || Math.abs(digits) > 15) throw wrongArgument('Digits are a whole number from -15 to 15')
  // By way of its text, so that 1.005 becomes 1.01: multiplying would bring in an error of its own. Halves go away from zero.
  const [mantissa, exponent = '0'] = String(Math.abs(value)).split('e')
  const scaled = Math.round(Number(`${mantissa}e${Number(exponent) + digits}`))
  const [back, power = '0'] = String(scaled).split('e')
  return checkedNumber(Math.sign(value) * Number(`${back}e${Number(power) - digits}`))
}

/** The fields whose names are in the list, or those that are not. To make an object costs more than to look at one. */
const pick = (budget: Budget, map: ValueMap, list: readonly Value[], listed: boolean): ValueMap => {
  const names = new Set(list)
  const kept = keysOf(map, budget).filter((key) => names.has(key) === listed)
  spend(budget, 6 * kept.length)
  return Object.fromEntries(kept.map((key) => [key, map[key] as Value]))
}

const number = (_: Budget, value: Value): number => {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'string' && value.length <= 400 && /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(value))
    return checkedNumber(Number(value))
  throw wrongArgument(
    typeof value === 'string' ? `${JSON.stringify(value.slice(0, 60))} is not a number` : `A number cannot be made from this`,
  )
}

export const collectionFunctions: { readonly [name: string]: LibraryFunction } = {
  size: define(
    'Characters of a text, elements of a list, fields of an object.',
    ['sized'],
    'number',
    (budget, value) => {
      if (isList(value)) return value.length
      if (isMap(value)) return keysOf(value, budget).length
      spend(budget, value.length >> 4)
      return codePoints(value)
    },
    { constant_cost: true },
  ),
  first: define('The first element of a list; null when it is empty.', ['list'], null, (_, list) => list[0] ?? null, {
    constant_cost: true,
  }),
  last: define('The last element of a list; null when it is empty.', ['list'], null, (_, list) => list.at(-1) ?? null, {
    constant_cost: true,
  }),
  keys: define('The names of an object’s fields.', ['map'], 'list', (budget, map) => checkedList(keysOf(map, budget))),
  values: define('The values of an object’s fields.', ['map'], 'list', (budget, map) =>
    checkedList(keysOf(map, budget).map((key) => map[key] as Value)),
  ),
  merge: define('The fields of both objects; the second wins.', ['map', 'map'], 'map', (budget, a, b) => {
    spend(budget, 6 * (keysOf(a, budget).length + keysOf(b, budget).length))
    return { ...a, ...b }
  }),
  pick: define('An object with only these fields.', ['map', 'list'], 'map', (budget, map, list) => pick(budget, map, list, true)),
  omit: define('An object without these fields.', ['map', 'list'], 'map', (budget, map, list) => pick(budget, map, list, false)),
  sum: define('The sum of a list of numbers.', ['list'], 'number', (_, list) =>
    checkedNumber(numbers(list).reduce((total, value) => total + value, 0)),
  ),
  avg: define('The mean of a list of numbers.', ['list'], 'number', (_, list) => {
    if (list.length === 0) throw wrongArgument('avg() of an empty list')
    return checkedNumber(numbers(list).reduce((total, value) => total + value, 0) / list.length)
  }),
  min: define('The least of a list, or of two values.', ['any', 'any?'], null, extreme('min', -1)),
  max: define('The greatest of a list, or of two values.', ['any', 'any?'], null, extreme('max', 1)),
  sort: define('A list in order.', ['list'], 'list', (budget, list) => {
    spend(budget, list.length * 8)
    return list.toSorted((a, b) => compare(a, b, 'sort', budget))
  }),
  reverse: define('A list from its end to its start.', ['list'], 'list', (_, list) => list.toReversed()),
  slice: define(
    'The elements of a list, or the characters of a text, from a place up to another; counted from 0, or from the end below 0.',
    ['sized', 'number', 'number?'],
    null,
    (_, sized, start, end) => {
      if (typeof sized === 'string' || isList(sized)) return sized.slice(start, end)
      throw wrongArgument('slice() takes a list or a text')
    },
  ),
  flatten: define('The elements of a list’s lists, one level deep.', ['list'], 'list', (budget, list) => {
    spend(
      budget,
      list.reduce<number>((total, element) => total + (isList(element) ? element.length : 1), 0),
    )
    return checkedList(list.flat())
  }),
  distinct: define('A list without repetitions.', ['list'], 'list', distinct),
  range: define('The whole numbers from 0 up to, not including, a number.', ['number'], 'list', (budget, count) => {
    if (!Number.isInteger(count) || count < 0) throw wrongArgument('A whole number from 0 is needed')
    if (count > 100_000) throw new Fault('expression.limit', 'The list would be too long')
    spend(budget, count)
    return Array.from({ length: count }, (_, index) => index)
  }),
  round: define('To the nearest whole number, or to so many digits; halves away from zero.', ['number', 'number?'], 'number', round),
  floor: define('The next whole number below.', ['number'], 'number', (_, value) => Math.floor(value)),
  ceil: define('The next whole number above.', ['number'], 'number', (_, value) => Math.ceil(value)),
  abs: define('Without its sign.', ['number'], 'number', (_, value) => Math.abs(value)),
  int: define('A whole number from a number (cut off) or text.', ['any'], 'number', (budget, value) => Math.trunc(number(budget, value))),
  double: define('A number from text.', ['any'], 'number', number),
  number: define('A number from text.', ['any'], 'number', number),
  bool: define('A truth value from the text "true" or "false".', ['any'], 'bool', (_, value) => {
    if (typeof value === 'boolean') return value
    if (value === 'true' || value === 'false') return value === 'true'
    throw wrongArgument('Only "true" and "false" can be made into truth values')
  }),
  truthy: define(
    'Whether a value is something: not null, false, 0 or an empty text.',
    ['any'],
    'bool',
    (_, value) => value !== null && value !== false && value !== 0 && value !== '',
    { constant_cost: true },
  ),
  type: define(
    'The kind of a value: null, bool, number, string, list, map, timestamp, duration.',
    ['any'],
    'string',
    (_, value) => kindOf(value),
    { constant_cost: true },
  ),
  dyn: define('The value itself.', ['any'], null, (_, value) => value, { constant_cost: true }),
}
