/** Cores that other programs may take, on average, during a measurement that counts. */
const quiet_below = 0.15

const most_attempts = 4

/** Runs of one measurement. What was wrong in any of them counts, also in those that do not. */
export interface Runs<Run> {
  /** The first during which the machine did nothing else; where there was none, the one during which it did least. */
  readonly chosen: Run
  readonly all: readonly Run[]
}

/** Measures until a measurement was not disturbed. Which one counts is decided by the machine's other work alone, never by how fast it was. */
export const undisturbed = async <Run extends { readonly foreign_cpu: number }>(measure: () => Promise<Run>): Promise<Runs<Run>> => {
  const all: Run[] = []
  do all.push(await measure())
  while ((all.at(-1) as Run).foreign_cpu > quiet_below && all.length < most_attempts)
  const chosen = all.reduce((best, run) => (run.foreign_cpu < best.foreign_cpu ? run : best))
  return { chosen, all }
}
