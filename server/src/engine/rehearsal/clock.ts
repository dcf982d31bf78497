/** Time that passes when nothing else is left to do. */
export interface VirtualClock {
  /** Unix milliseconds. */
  readonly now: () => number
  /** Calls `ring` once it is `at`; returns how to call it off. */
  readonly alarm: (at: number, ring: () => void) => () => void
  /** Goes on to the next alarm and rings it; false where there is none. */
  readonly next: () => boolean
}

interface Alarm {
  readonly at: number
  readonly ring: () => void
}

export const virtualClock = (start: number): VirtualClock => {
  const alarms = new Set<Alarm>()
  let now = start
  return {
    now: () => now,
    alarm: (at, ring) => {
      const alarm = { at, ring }
      alarms.add(alarm)
      return () => void alarms.delete(alarm)
    },
    next: () => {
      let first: Alarm | null = null
      // Of two at one time the one that was set first.
      for (const alarm of alarms) if (first === null || alarm.at < first.at) first = alarm
      if (first === null) return false
      alarms.delete(first)
      now = Math.max(now, first.at)
      first.ring()
      return true
    },
  }
}
