/** Where the product gets the time from; tests hand in one that they move. */
export interface Clock {
  /** Unix milliseconds. */
  readonly now: () => number
}

export const systemClock: Clock = { now: Date.now }

/** A clock that stands still until it is moved. */
export const manualClock = (start = Date.UTC(2026, 0, 1)): Clock & { readonly advance: (ms: number) => void } => {
  let time = start
  return { now: () => time, advance: (ms) => void (time += ms) }
}
