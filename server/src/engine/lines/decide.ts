/** Somebody at the head of a line. */
export interface Candidate {
  readonly id: string
  readonly workflow_id: string
  readonly line: string
  /** Null: no rate limits it. */
  readonly rate_key: string | null
  readonly priority: number
}

export interface Capacity {
  /** Slots of each line that are free; null: as many as there are candidates. */
  readonly slots: ReadonlyMap<string, number | null>
  /** Starts that each rate still allows now. */
  readonly starts: ReadonlyMap<string, number>
}

/** Names a line or a rate of a workflow. */
export const nameOf = (workflow_id: string, key: string): string => `${workflow_id}/${key}`

/**
 * Who is admitted: by priority, then by age (ids ascend with time), each as far as its line has a slot and its rate a start. Whoever is held up
 * by a rate holds up nobody behind it that has another.
 */
export const decide = (
  candidates: readonly Candidate[],
  { slots, starts }: Capacity,
): { readonly admitted: readonly Candidate[]; readonly held_up: readonly Candidate[] } => {
  const free = new Map(slots)
  const left = new Map(starts)
  const admitted: Candidate[] = []
  const held_up: Candidate[] = []
  for (const candidate of candidates.toSorted((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1))) {
    const { workflow_id, line, rate_key } = candidate
    const slot = free.get(nameOf(workflow_id, line)) ?? null
    if (slot === 0) continue
    if (rate_key !== null) {
      const start = left.get(nameOf(workflow_id, rate_key)) ?? Infinity
      if (start <= 0) {
        held_up.push(candidate)
        continue
      }
      left.set(nameOf(workflow_id, rate_key), start - 1)
    }
    if (slot !== null) free.set(nameOf(workflow_id, line), slot - 1)
    admitted.push(candidate)
  }
  return { admitted, held_up }
}
