import { RE2JS } from 're2js'
import { checkedText, Fault, isList, isMap, kindOf, limits, spend, type Budget, type Value } from '../value.ts'
import { checkedList, contains, nameOf } from '../operators.ts'
import { define, wrongArgument, type LibraryFunction } from './function.ts'

const pattern_chars = 1_000

/** RE2: its time grows with the length of the text and of the pattern, never faster. */
const pattern = (budget: Budget, source: string, text: string): RE2JS => {
  if (source.length > pattern_chars) throw new Fault('expression.limit', `A pattern may have ${pattern_chars} characters`)
  spend(budget, 200 + source.length * 10)
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(source)
  } catch (error) {
    throw wrongArgument(`The pattern is not a regular expression of RE2: ${error instanceof Error ? error.message : 'it cannot be read'}`)
  }
  // Repetitions multiply: `(a{100}){10}` is a program of a thousand instructions.
  const instructions = compiled.programSize()
  if (instructions > 10_000) throw new Fault('expression.limit', 'The pattern is too large')
  spend(budget, Math.ceil((text.length * Math.min(instructions, 200)) / 40) + instructions)
  return compiled
}

const at = (text: string, position: number, what: string): number => {
  if (Number.isInteger(position) && position >= 0 && position <= text.length) return position
  throw wrongArgument(`The ${what} ${position} lies outside the text, which has ${text.length} characters`)
}

const substring = (_: Budget, text: string, start: number, end: number | undefined): string => {
  const from = at(text, start, 'start')
  const to = end === undefined ? text.length : at(text, end, 'end')
  if (to < from) throw wrongArgument(`The end ${to} comes before the start ${from}`)
  return text.slice(from, to)
}

const split = (budget: Budget, text: string, separator: string, most: number | undefined): readonly Value[] => {
  if (most === 0) return []
  spend(budget, text.length >> 2)
  const parts = text.split(separator)
  if (most === undefined || most < 0 || parts.length <= most) return checkedList(parts)
  return checkedList([...parts.slice(0, most - 1), parts.slice(most - 1).join(separator)])
}

const join = (budget: Budget, list: readonly Value[], separator = ''): string => {
  let length = 0
  const parts = list.map((element) => {
    const text = plainText(element)
    length += text.length + separator.length
    if (length > limits.text + separator.length) checkedText(' '.repeat(limits.text + 1))
    return text
  })
  spend(budget, length >> 4)
  return parts.join(separator)
}

const plainText = (value: Value): string => {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw wrongArgument(`Only texts, numbers and truth values can be joined, not ${nameOf(kindOf(value))}`)
}

const replace = (budget: Budget, text: string, from: string, to: string, most: number | undefined): string => {
  const pieces = from === '' ? Array.from(text) : text.split(from)
  const times = Math.max(0, Math.min(pieces.length - 1, most === undefined || most < 0 ? Infinity : Math.trunc(most)))
  const length = text.length + times * (to.length - from.length)
  if (length > limits.text)
    throw new Fault('expression.limit', `The expression builds a text of ${length} characters; ${limits.text} are allowed`)
  spend(budget, ((text.length + length) >> 3) + 2 * pieces.length)
  return pieces.slice(0, times + 1).join(to) + (times + 1 < pieces.length ? from + pieces.slice(times + 1).join(from) : '')
}

const pad = (text: string, length: number, fill: string | undefined, side: 'padStart' | 'padEnd'): string => {
  if (!(length <= limits.text)) throw new Fault('expression.limit', `A text may have ${limits.text} characters`)
  return text[side](length, fill)
}

const extract = (budget: Budget, text: string, source: string): Value => {
  const matcher = pattern(budget, source, text).matcher(text)
  if (!matcher.find()) return null
  if (matcher.groupCount() === 0) return matcher.group()
  return Array.from({ length: matcher.groupCount() }, (_, index) => matcher.group(index + 1))
}

export const textFunctions: { readonly [name: string]: LibraryFunction } = {
  upper: define('In capital letters.', ['string'], 'string', (_, text) => checkedText(text.toUpperCase())),
  lower: define('In small letters.', ['string'], 'string', (_, text) => checkedText(text.toLowerCase())),
  upperAscii: define('A to Z in capital letters.', ['string'], 'string', (_, text) =>
    text.replaceAll(/[a-z]+/g, (part) => part.toUpperCase()),
  ),
  lowerAscii: define('A to Z in small letters.', ['string'], 'string', (_, text) =>
    text.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase()),
  ),
  trim: define('Without white space at both ends.', ['string'], 'string', (_, text) => text.trim()),
  split: define('The parts between separators; at most so many.', ['string', 'string', 'number?'], 'list', split),
  join: define('The elements of a list as one text.', ['list', 'string?'], 'string', join),
  replace: define(
    'Every occurrence of a text (or the first so many) replaced.',
    ['string', 'string', 'string', 'number?'],
    'string',
    replace,
  ),
  startsWith: define('Whether a text starts with another.', ['string', 'string'], 'bool', (_, text, start) => text.startsWith(start)),
  endsWith: define('Whether a text ends with another.', ['string', 'string'], 'bool', (_, text, end) => text.endsWith(end)),
  contains: define('Whether a text holds another, or a list an element.', ['sized', 'any'], 'bool', (budget, holder, part) => {
    if (isList(holder) || isMap(holder)) return contains(part, holder, budget)
    if (typeof part === 'string') return holder.includes(part)
    throw wrongArgument('A text contains texts only')
  }),
  matches: define('Whether a regular expression (RE2 syntax) is found in a text.', ['string', 'string'], 'bool', (budget, text, source) =>
    pattern(budget, source, text).matcher(text).find(),
  ),
  extract: define(
    'The first match of a regular expression, or the list of its groups; null when there is none.',
    ['string', 'string'],
    null,
    extract,
  ),
  substring: define('From a place up to another, counted from 0.', ['string', 'number', 'number?'], 'string', substring),
  indexOf: define('Where a text is first found in another; -1: nowhere.', ['string', 'string'], 'number', (_, text, part) =>
    text.indexOf(part),
  ),
  lastIndexOf: define('Where a text is last found in another; -1: nowhere.', ['string', 'string'], 'number', (_, text, part) =>
    text.lastIndexOf(part),
  ),
  padStart: define('Filled up at the start to a length.', ['string', 'number', 'string?'], 'string', (_, text, length, fill) =>
    pad(text, length, fill, 'padStart'),
  ),
  padEnd: define('Filled up at the end to a length.', ['string', 'number', 'string?'], 'string', (_, text, length, fill) =>
    pad(text, length, fill, 'padEnd'),
  ),
}
