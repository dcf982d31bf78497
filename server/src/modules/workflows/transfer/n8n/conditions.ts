import { isJsonObject, type Json, type JsonObject } from '../../../../lib/json.ts'
import { Untranslatable, quoted } from './javascript/cel.ts'
import { patternFor } from './javascript/patterns.ts'
import { at, isExpression, listAt, plain } from './parameters.ts'
import type { Site } from './site.ts'

interface Sides {
  readonly l: string
  readonly r: string
  readonly right: Json | undefined
  readonly loose: boolean
  readonly fold: boolean
}

type Make = (sides: Sides) => string

const simple = (text: string): boolean => /^(?:[\w.]+|"(?:[^"\\]|\\.)*"|-?[\d.]+|[\w.?[\]"]+\.orValue\(null\))$/.test(text)
const tight = (text: string): string => (simple(text) ? text : `(${text})`)

const isText = (text: string): boolean => /^"(?:[^"\\]|\\.)*"$/.test(text)
const text = (side: string, { fold }: Sides): string => {
  const made = isText(side) ? side : `string(${side})`
  return fold ? `${made}.lower()` : made
}
const number = (side: string, { loose }: Sides): string =>
  /^-?[\d.]+$/.test(side) ? side : loose || isText(side) ? `number(${side})` : tight(side)

const method =
  (name: string): Make =>
  (sides) =>
    `${text(sides.l, sides)}.${name}(${text(sides.r, sides)})`

const not =
  (make: Make): Make =>
  (sides) =>
    `!(${make(sides)})`

const compared =
  (sign: string, side: (value: string, sides: Sides) => string): Make =>
  (sides) => {
    const made = `${side(sides.l, sides)} ${sign} ${side(sides.r, sides)}`
    return sign === '==' || sign === '!=' || isText(sides.l) || /^-?[\d.]+$/.test(sides.l) ? made : `${tight(sides.l)} != null && ${made}`
  }

const same: Make = (sides) => {
  const { l, r, loose, fold } = sides
  return loose || fold ? `${text(l, sides)} == ${text(r, sides)}` : `${tight(l)} == ${tight(r)}`
}

const matches: Make = (sides) => {
  const { right, r } = sides
  if (typeof right !== 'string' || isExpression(right)) return `${text(sides.l, { ...sides, fold: false })}.matches(${r})`
  const slashed = /^\/(.*)\/([a-z]*)$/s.exec(right)
  const { pattern } = patternFor(slashed?.[1] ?? right, slashed?.[2] ?? '')
  return `${text(sides.l, { ...sides, fold: false })}.matches(${quoted(pattern)})`
}

const exists: Make = ({ l }) => `${tight(l)} != null`
const emptyText: Make = ({ l }) => `${tight(l)} == null || ${tight(l)} == ""`
const emptyList: Make = ({ l }) => `${tight(l)} == null || size(${l}) == 0`
const time = (side: string): string => `timestamp(${side})`
const truth: Make = ({ l, loose }) => (loose ? `truthy(${l})` : `${tight(l)} == true`)
const sized =
  (sign: string): Make =>
  (sides) =>
    `size(${sides.l}) ${sign} ${number(sides.r, sides)}`

const order = (side: (value: string, sides: Sides) => string): { readonly [operation: string]: Make } => ({
  gt: compared('>', side),
  lt: compared('<', side),
  gte: compared('>=', side),
  lte: compared('<=', side),
})

const numbers = (side: string, sides: Sides): string => number(side, sides)
const equalNumbers: Make = (sides) =>
  sides.loose ? `${numbers(sides.l, sides)} == ${numbers(sides.r, sides)}` : `${tight(sides.l)} == ${tight(sides.r)}`

/** n8n's operators of version 2: type, then operation. */
const operators: { readonly [type: string]: { readonly [operation: string]: Make } } = {
  any: { exists, notExists: not(exists), empty: emptyText, notEmpty: not(emptyText), equals: same, notEquals: not(same) },
  string: {
    equals: same,
    notEquals: not(same),
    contains: method('contains'),
    notContains: not(method('contains')),
    startsWith: method('startsWith'),
    notStartsWith: not(method('startsWith')),
    endsWith: method('endsWith'),
    notEndsWith: not(method('endsWith')),
    regex: matches,
    notRegex: not(matches),
    empty: emptyText,
    notEmpty: not(emptyText),
  },
  number: { equals: equalNumbers, notEquals: not(equalNumbers), ...order(numbers) },
  boolean: {
    true: truth,
    false: not(truth),
    equals: ({ l, r, loose }) => (loose ? `truthy(${l}) == truthy(${r})` : `${tight(l)} == ${tight(r)}`),
    notEquals: ({ l, r, loose }) => (loose ? `truthy(${l}) != truthy(${r})` : `${tight(l)} != ${tight(r)}`),
  },
  dateTime: {
    equals: ({ l, r }) => `${time(l)} == ${time(r)}`,
    notEquals: ({ l, r }) => `${time(l)} != ${time(r)}`,
    after: compared('>', time),
    before: compared('<', time),
    afterOrEquals: compared('>=', time),
    beforeOrEquals: compared('<=', time),
  },
  array: {
    contains: ({ l, r }) => `${tight(l)} != null && ${tight(l)}.contains(${r})`,
    notContains: ({ l, r }) => `!(${tight(l)} != null && ${tight(l)}.contains(${r}))`,
    lengthEquals: sized('=='),
    lengthNotEquals: sized('!='),
    lengthGt: sized('>'),
    lengthLt: sized('<'),
    lengthGte: sized('>='),
    lengthLte: sized('<='),
    empty: emptyList,
    notEmpty: not(emptyList),
  },
  object: { empty: emptyList, notEmpty: not(emptyList) },
}

const operatorOf = (type: string, operation: string): Make => {
  const own = Object.hasOwn(operators, type) ? operators[type] : undefined
  const found = own !== undefined && Object.hasOwn(own, operation) ? own[operation] : undefined
  const any = operators['any'] as { readonly [operation: string]: Make }
  if (found !== undefined) return found
  if (Object.hasOwn(any, operation)) return any[operation] as Make
  throw new Untranslatable(`The operator "${type}: ${operation}" is not known`)
}

/** A condition that cannot be had: `false`, and the node is left over. */
const refuse = (site: Site, error: unknown): string => {
  if (!(error instanceof Untranslatable)) throw error
  site.left(`A condition is for you to finish, and is false until then: ${error.message}.`)
  return 'false'
}

const made = (site: Site, make: () => string): string => {
  try {
    return make()
  } catch (error) {
    return refuse(site, error)
  }
}

const joined = (parts: readonly string[], any: boolean): string => {
  if (parts.length === 0) return 'true'
  return parts.length === 1 ? (parts[0] as string) : parts.map((part) => `(${part})`).join(any ? ' || ' : ' && ')
}

/** Conditions as `if`, `filter` and `switch` have them from version 2 (3) on. `path`: where they stand. */
export const conditionOf = (site: Site, holder: JsonObject, path: string): string => {
  const block = at(holder, 'conditions')
  const given: JsonObject = isJsonObject(block) ? block : {}
  const loose =
    at(given, 'options.typeValidation') === 'loose' ||
    at(site.parameters, 'looseTypeValidation') === true ||
    at(site.parameters, 'options.looseTypeValidation') === true
  const fold = at(given, 'options.caseSensitive') === false || at(site.parameters, 'options.ignoreCase') === true
  const parts = listAt(given, 'conditions').map((condition, index) =>
    made(site, () => {
      const where = `${path}.conditions.${index}`
      const type = plain(at(condition, 'operator.type'), 'string')
      const operation = plain(at(condition, 'operator.operation'), 'equals')
      const right = condition['rightValue']
      const l = site.cel(condition['leftValue'], `${where}.leftValue`)
      const r = at(condition, 'operator.singleValue') === true || right === undefined ? 'null' : site.cel(right, `${where}.rightValue`)
      const asked =
        type === 'number' && typeof right === 'string' && !isExpression(right) && right.trim() !== '' && !Number.isNaN(Number(right))
          ? String(Number(right))
          : r
      return operatorOf(type, operation)({ l, r: asked, right, loose, fold: fold && type === 'string' })
    }),
  )
  return joined(parts, at(given, 'combinator') === 'or')
}

const old: { readonly [operation: string]: readonly [type: string, operation: string] } = {
  equal: ['string', 'equals'],
  notEqual: ['string', 'notEquals'],
  contains: ['string', 'contains'],
  notContains: ['string', 'notContains'],
  startsWith: ['string', 'startsWith'],
  notStartsWith: ['string', 'notStartsWith'],
  endsWith: ['string', 'endsWith'],
  notEndsWith: ['string', 'notEndsWith'],
  regex: ['string', 'regex'],
  notRegex: ['string', 'notRegex'],
  isEmpty: ['string', 'empty'],
  isNotEmpty: ['string', 'notEmpty'],
  smaller: ['number', 'lt'],
  smallerEqual: ['number', 'lte'],
  larger: ['number', 'gt'],
  largerEqual: ['number', 'gte'],
  after: ['dateTime', 'after'],
  before: ['dateTime', 'before'],
}
const defaults: { readonly [type: string]: string } = { string: 'equal', number: 'smaller', boolean: 'equal', dateTime: 'after' }

/** One operation of version 1. `type`: the list that it stood in. */
export const oldOperation = (
  type: string,
  operation: string | undefined,
  sides: { l: string; r: string; right: Json | undefined },
): string => {
  const [, name = 'equals'] = old[operation ?? defaults[type] ?? 'equal'] ?? []
  const kind = ['equals', 'notEquals', 'empty', 'notEmpty'].includes(name)
    ? type
    : (old[operation ?? defaults[type] ?? 'equal']?.[0] ?? type)
  return operatorOf(kind, name)({ ...sides, loose: type !== 'boolean' && !(type === 'string' && name === 'equals'), fold: false })
}

/** Conditions of `if` version 1: `{ string: [{ value1, operation, value2 }], … }`, `combineOperation`. */
export const oldConditionOf = (site: Site): string => {
  const block = site.parameters['conditions']
  const parts = Object.entries(isJsonObject(block) ? block : {}).flatMap(([type]) =>
    listAt(site.parameters, `conditions.${type}`).map((condition, index) =>
      made(site, () => {
        const where = `conditions.${type}.${index}`
        const { value1, value2, operation } = condition
        const l = site.cel(value1 ?? (type === 'boolean' ? false : type === 'number' ? 0 : ''), `${where}.value1`)
        const r = site.cel(value2 ?? (type === 'boolean' ? false : type === 'number' ? 0 : ''), `${where}.value2`)
        return oldOperation(type, typeof operation === 'string' ? operation : undefined, { l, r, right: value2 })
      }),
    ),
  )
  return joined(parts, site.parameters['combineOperation'] === 'any')
}
