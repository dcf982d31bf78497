import { expect, test } from 'vitest'
import { jsonSize } from './json-size.ts'
import type { Json } from './json.ts'

test('the size of a value is that of its texts and names, and a little for each part', () => {
  expect(jsonSize(null, 100)).toBe(16)
  expect(jsonSize('abc', 100)).toBe(19)
  expect(jsonSize({ name: ['a', 1, true] }, 200)).toBe(16 + 4 + 16 + 17 + 16 + 16)
  expect(jsonSize('x'.repeat(100), 100)).toBe(null)
  expect(jsonSize(Array(10).fill(0), 100)).toBe(null)
})

test('what stands in a value many times counts each time, and is not looked at for longer than it takes to know', () => {
  let value: Json = 'grain'.repeat(1_000)
  for (let level = 0; level < 60; level += 1) value = { left: value, right: value }
  const began = performance.now()
  expect(jsonSize(value, 1_000_000)).toBe(null)
  expect(performance.now() - began).toBeLessThan(500)
})
