import { expect, test } from 'vitest'
import { mannWhitney } from './rank-test.ts'

const noise = function* (seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    yield state / 2_147_483_648
  }
}
const sample = (seed: number, size: number, shift = 0): number[] => {
  const next = noise(seed)
  return Array.from({ length: size }, () => next.next().value + shift)
}

test('the test agrees with a known case', () => {
  // U = 26.5 of 12 × 8; worked out by hand from the ranks.
  const first = [3, 4, 2, 6, 2, 5, 7, 5, 3, 4, 6, 4]
  const second = [9, 7, 5, 10, 6, 8, 3, 6]
  const { above, p } = mannWhitney(first, second)
  const u = first.flatMap((a) => second.map((b) => (a > b ? 1 : a === b ? 0.5 : 0))).reduce<number>((sum, one) => sum + one, 0)
  expect(above).toBeCloseTo(u / 96, 10)
  expect(p).toBeGreaterThan(0.005)
  expect(p).toBeLessThan(0.03)
})

test('two samples of one distribution are rarely told apart, and as often as the probability says', () => {
  const ps = Array.from({ length: 400 }, (_, n) => mannWhitney(sample(n * 2 + 1, 60), sample(n * 2 + 2, 60)).p)
  const below = (limit: number): number => ps.filter((p) => p < limit).length / ps.length
  expect(below(0.5)).toBeGreaterThan(0.4)
  expect(below(0.5)).toBeLessThan(0.6)
  expect(below(0.05)).toBeLessThan(0.1)
})

test('a shift of a fifth of the spread is found in three hundred values', () => {
  const { above, p } = mannWhitney(sample(1, 300, 0.12), sample(2, 300))
  expect(p).toBeLessThan(0.001)
  expect(above).toBeGreaterThan(0.55)
})

test('what is all the same differs in nothing', () => {
  const { above, p } = mannWhitney(Array<number>(30).fill(1), Array<number>(30).fill(1))
  expect(above).toBe(0.5)
  expect(p).toBeCloseTo(1, 6)
})
