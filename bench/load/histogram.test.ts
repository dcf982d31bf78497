import fc from 'fast-check'
import { expect, test } from 'vitest'
import { histogram } from './histogram.ts'

test('a percentile is never below the true one and at most 1 % above it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(2 ** 31), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (values, quantile) => {
        const counts = histogram()
        for (const value of values) counts.record(value)
        const true_one = values.toSorted((a, b) => a - b)[Math.ceil(quantile * values.length) - 1] as number
        const told = counts.quantile_us(quantile)
        expect(told).toBeGreaterThanOrEqual(true_one)
        expect(told).toBeLessThanOrEqual(Math.max(true_one * 1.01, true_one))
      },
    ),
  )
})

test('an empty histogram says 0', () => {
  expect(histogram().quantile_us(0.99)).toBe(0)
  expect(histogram().max_us()).toBe(0)
})

test('what is longer than it can hold counts as the longest', () => {
  const counts = histogram()
  counts.record(1e15)
  expect(counts.count()).toBe(1)
  expect(counts.max_us()).toBe(2 ** 32 - 1)
})
