/** The longest time that a timer of the runtime can hold; beyond it `setTimeout` would fire at once. */
const longest_ms = 2 ** 31 - 1

/** Calls `ring` once the clock shows `at` (Unix milliseconds), never before, however far away that is. Returns how to call it off. */
export const setAlarm = (now: () => number, at: number, ring: () => void): (() => void) => {
  let timer: NodeJS.Timeout
  const arm = (): void => {
    // The runtime's timers run on another clock and may be a millisecond early.
    timer = setTimeout(() => (now() >= at ? ring() : arm()), Math.min(Math.max(at - now(), 0), longest_ms))
  }
  arm()
  return () => clearTimeout(timer)
}
