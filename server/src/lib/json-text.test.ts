import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isDeeperThan, parseJsonText } from './json-text.ts'

const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

test('the depth of a text is the depth of the value it stands for', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      const depth = depthOf(value)
      expect(isDeeperThan(text, depth)).toBe(false)
      if (depth > 0) expect(isDeeperThan(text, depth - 1)).toBe(true)
    }),
  )
})

test.each([
  ['brackets in a string', JSON.stringify(['[[[[[[{{{{{{'])],
  ['brackets after an escaped quote', JSON.stringify(['"[[[[[[{{{{{{"'])],
  ['brackets after an escaped backslash', `["\\\\", "[[[[[[[["]`],
  ['brackets in a key', JSON.stringify({ '[[[[[[[[': 1 })],
  ['siblings', JSON.stringify(Array.from({ length: 100 }, () => [{}]))],
])('%s do not count', (_, text) => expect(isDeeperThan(text, 3)).toBe(false))

test('a text that never closes is as deep as it opens', () => {
  expect(isDeeperThan('['.repeat(10_000), 100)).toBe(true)
  expect(isDeeperThan('{"a":'.repeat(10_000), 100)).toBe(true)
  expect(isDeeperThan(`"${'['.repeat(10_000)}`, 100)).toBe(false)
})

test('what is parsed survives being written and read again', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const parsed = parseJsonText(JSON.stringify(value), 100)
      expect(JSON.parse(JSON.stringify(parsed))).toEqual(parsed)
    }),
  )
  expect(parseJsonText('["\\u0000","\\ud800",1e99,"1e400"]', 5)).toEqual(['\0', '\ud800', 1e99, '1e400'])
})

test.each([
  ['{"a":', 'it is not valid JSON'],
  ['', 'it is not valid JSON'],
  ['[[[[1]]]]', 'it nests deeper than 3 levels'],
  ['[1e400]', 'it holds a number that is too large'],
  ['[-1E+400]', 'it holds a number that is too large'],
  [`{"a":${'9'.repeat(400)}}`, 'it holds a number that is too large'],
])('%.20s is refused: %s', (text, reason) => expect(() => parseJsonText(text, 3)).toThrow(new SyntaxError(reason)))
