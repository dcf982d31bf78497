import { expect, test } from 'vitest'
import { jsonDifferences, pointersOf } from './json-differences.ts'
import type { Json } from './json.ts'
import { atOnce, inTurns } from './turns.ts'

const differing = (before: Json, after: Json, ignored: readonly string[] = []) =>
  atOnce(jsonDifferences(before, after, { ignored: pointersOf(ignored) })).map(({ path }) => path)

test('differences are told as deep down as can be said', () => {
  expect(differing({ a: [1, { b: 2 }], c: 3 }, { c: 3, a: [1, { b: 3 }, 4] })).toEqual(['/a/1/b', '/a/2'])
  expect(differing({ 'x/y': 1, '~': 1 }, { 'x/y': 2, '~': 2 })).toEqual(['/x~1y', '/~0'])
  expect(differing([], {})).toEqual([''])
  expect(differing(JSON.parse('{"__proto__":1}') as Json, {})).toEqual(['/__proto__'])
})

test('what stands at or below a pointer may differ, and an asterisk stands for any name', () => {
  const before = {
    list: [
      { id: 1, n: 1 },
      { id: 2, n: 1 },
    ],
    at: 'now',
  }
  const after = {
    list: [
      { id: 3, n: 1 },
      { id: 4, n: 2 },
    ],
    at: 'then',
  }
  expect(differing(before, after)).toEqual(['/list/0/id', '/list/1/id', '/list/1/n', '/at'])
  expect(differing(before, after, ['/list/*/id', '/at'])).toEqual(['/list/1/n'])
  expect(differing(before, after, ['/list'])).toEqual(['/at'])
  expect(differing(before, after, ['/*/1'])).toEqual(['/list/0/id', '/at'])
  expect(differing(before, after, [''])).toEqual([])
  expect(atOnce(jsonDifferences(1, 2, { path: '/output/id', ignored: pointersOf(['/output']) }))).toEqual([])
})

test('half a million values are compared while others have their turn', async () => {
  const list = (value: number): Json => Array.from({ length: 500_000 }, () => ({ value }))
  const [before, after] = [list(1), list(1)]
  let turns = 0
  const counting = setInterval(() => (turns += 1), 1)
  expect(await inTurns(jsonDifferences(before, after, { ignored: pointersOf(Array.from({ length: 200 }, (_, n) => `/*/x${n}`)) }))).toEqual(
    [],
  )
  clearInterval(counting)
  expect(turns).toBeGreaterThan(2)
})
