/**
 * Durations are counted in buckets, each a tenth wider than the one before: 0 is 0 ms, 1 is 1 ms, and b > 1 everything above 1.1^(b-2) ms up to
 * 1.1^(b-1) ms. What is read back out of a bucket is off by at most 5 %.
 */
const base = 1.1

/** Of a whole number of milliseconds. */
export const bucketOf = (ms: number): number => (ms < 1 ? 0 : 1 + Math.ceil(Math.log(ms) / Math.log(base) - 1e-9))

/** The same in SQL, of an expression that is a number. */
export const bucketSql = (ms: string): string => `case when ${ms} < 1 then 0 else 1 + ceil(ln(${ms}) / ln(${base}) - 1e-9) end::int`

const middleOf = (bucket: number): number => (bucket < 2 ? bucket : Math.round(base ** (bucket - 1.5)))

/** How many there are in each bucket. */
export type Durations = ReadonlyMap<number, number>

/** The duration below which that part of all lies; null where there are none. */
export const quantile = (durations: Durations, part: number): number | null => {
  const sorted = [...durations].toSorted(([a], [b]) => a - b)
  const total = sorted.reduce((sum, [, n]) => sum + n, 0)
  let seen = 0
  for (const [bucket, n] of sorted) {
    seen += n
    if (seen >= total * part) return middleOf(bucket)
  }
  return null
}
