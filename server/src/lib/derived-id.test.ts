import { expect, test } from 'vitest'
import { derivedId } from './derived-id.ts'

const source = '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7a'

test('a derived id is the same each time, of the same time as its source, and another for other parts', () => {
  const id = derivedId(source, 'a', 'b')
  expect(id).toMatch(/^019aa0f0-8c3e-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(derivedId(source, 'a', 'b')).toBe(id)
  const others = [
    derivedId(source, 'ab'),
    derivedId(source, 'a', 'c'),
    derivedId(source),
    derivedId(source.replace('9c1d', '9c1e'), 'a', 'b'),
  ]
  expect(new Set([id, ...others]).size).toBe(5)
})
