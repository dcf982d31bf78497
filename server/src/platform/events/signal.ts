/** Tells whoever waits in this process that something has happened. Says nothing about what, so saying it twice is as good as once. */
export interface Signal {
  readonly raise: () => void
  /** Answers how to stop hearing. */
  readonly on: (hear: () => void) => () => void
}

export const createSignal = (): Signal => {
  const hearers = new Set<() => void>()
  return {
    raise: () => {
      for (const hear of hearers) hear()
    },
    on: (hear) => {
      hearers.add(hear)
      return () => void hearers.delete(hear)
    },
  }
}
