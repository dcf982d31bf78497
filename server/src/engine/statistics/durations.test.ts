import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { testDatabase } from '../../platform/testing/test-database.ts'
import { bucketOf, bucketSql, quantile } from './durations.ts'

const database = await testDatabase()
afterAll(() => database.close())

test('a quantile is off by at most 5 %, and less than a millisecond below twenty', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 400 * 86_400_000 }), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (values, part) => {
        const durations = new Map<number, number>()
        for (const ms of values) durations.set(bucketOf(ms), (durations.get(bucketOf(ms)) ?? 0) + 1)
        const exact = values.toSorted((a, b) => a - b)[Math.ceil(values.length * part - 1e-9) - 1] as number
        const found = quantile(durations, part) as number
        expect(Math.abs(found - exact)).toBeLessThanOrEqual(Math.max(1, exact * 0.05 + 0.5))
      },
    ),
  )
  expect(quantile(new Map(), 0.5)).toBeNull()
})

test('PostgreSQL counts into the same buckets', async () => {
  const values = [0, 1, 2, 3, 10, 11, 99, 100, 1_000, 65_535, 86_400_000, 34_560_000_000]
  const rows = await database.owner.unsafe<{ ms: number; bucket: number }[]>(
    `select ms, ${bucketSql('ms::float8')} as bucket from unnest($1::bigint[]) as ms`,
    [values as never],
  )
  expect(rows.map(({ ms, bucket }) => [ms, bucket])).toEqual(values.map((ms) => [ms, bucketOf(ms)]))
})
