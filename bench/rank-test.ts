/** How two samples differ, by the order of their values alone. */
export interface RankTest {
  /** How often a value of the first is above one of the second; 0.5 when neither tends to be. */
  readonly above: number
  /** Probability of a difference as large as this between samples of one and the same distribution. */
  readonly p: number
}

/**
 * Mann–Whitney U test, two-sided, by the normal approximation with the correction for ties (Mann and Whitney, 1947). For samples of at least
 * twenty. It asks nothing of the shape of the distribution, and a few values that a busy machine has spoilt do not carry it.
 */
export const mannWhitney = (first: readonly number[], second: readonly number[]): RankTest => {
  const all = [...first.map((value) => ({ value, of_first: true })), ...second.map((value) => ({ value, of_first: false }))].toSorted(
    (a, b) => a.value - b.value,
  )
  let rank_sum = 0
  let ties = 0
  for (let begin = 0; begin < all.length;) {
    let end = begin
    while (end < all.length && all[end]?.value === all[begin]?.value) end += 1
    const equal = end - begin
    const rank = (begin + 1 + end) / 2
    rank_sum += rank * all.slice(begin, end).filter(({ of_first }) => of_first).length
    ties += equal ** 3 - equal
    begin = end
  }
  const [m, n] = [first.length, second.length]
  const u = rank_sum - (m * (m + 1)) / 2
  const total = m + n
  const deviation = Math.sqrt(((m * n) / 12) * (total + 1 - ties / (total * (total - 1))))
  // Half a step for continuity.
  const z = deviation === 0 ? 0 : Math.max(0, Math.abs(u - (m * n) / 2) - 0.5) / deviation
  return { above: u / (m * n), p: twoSided(z) }
}

/** Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26; good to 1.5e-7. */
const twoSided = (z: number): number => {
  const x = z / Math.SQRT2
  const t = 1 / (1 + 0.327_591_1 * x)
  const series = t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))))
  return Math.min(1, series * Math.exp(-x * x))
}
