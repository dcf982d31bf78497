/** Named numbers and words, as a line prints them. */
export interface Facts {
  readonly [name: string]: string | number | boolean | null | Facts
}

/** One figure under one set of conditions. */
export interface Line {
  readonly figure: string
  readonly conditions: Facts
  readonly measured: Facts
  /** The same work without the product, in the same run. */
  readonly ceiling: Facts | null
  /** Of measured to ceiling. */
  readonly ratio: number | null
  readonly target: Facts | null
  /** Null where there is no target under these conditions. */
  readonly met: boolean | null
  /** What makes the figure worthless, in words: errors, wrong replies, records that do not add up. */
  readonly complaints: readonly string[]
}

export interface BenchOptions {
  /** Of each measurement, after the warm-up. */
  readonly seconds: number
  /** Measurements of each figure and its ceiling, by turns; the median counts. */
  readonly rounds: number
  /** Where the server writes CPU profiles; null for none. */
  readonly profile_dir: string | null
}

export interface Bench {
  readonly name: string
  readonly summary: string
  readonly run: (options: BenchOptions, report: (line: Line) => void) => Promise<void>
}

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits))

/** The run in the middle by `by`; of two, the lower. */
export const median = <Run>(runs: readonly Run[], by: (run: Run) => number): Run => {
  const sorted = runs.toSorted((a, b) => by(a) - by(b))
  const middle = sorted[(sorted.length - 1) >> 1]
  if (middle === undefined) throw new Error('the median of nothing')
  return middle
}
