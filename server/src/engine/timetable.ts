import { Cron } from 'croner'
import { isZone } from '../lib/zone.ts'

/** When something recurs: by a cron expression in a zone, or every so many milliseconds. */
export type Recurrence =
  | { readonly cron: string; readonly timezone: string }
  | {
      readonly every_ms: number
    }

/** The times of a recurrence, in Unix milliseconds. */
export interface Timetable {
  /** The first time after this one; null when there is none. Of an interval: one interval later. */
  readonly next: (after: number) => number | null
  /** The last times, at most so many, from `from`, which is one of them, up to `until`; ascending. */
  readonly between: (from: number, until: number, most: number) => readonly number[]
}

/** Nothing that a cron expression needs is longer. */
const longest_cron = 200

/**
 * Reads a recurrence. Cron has five fields, or six with seconds first; `L`, `W` and `#` as in `0 9 * * FRI#2`. By the clocks of its zone: a time
 * of the day that is left out when they go forward comes at the first time after the gap, and one that they show twice counts once; what
 * recurs within the day, with a step or a star in its hours or minutes, goes on at its pace. Throws a `TypeError` or a `RangeError` that
 * says what is wrong.
 */
export const openTimetable = (recurrence: Recurrence): Timetable => {
  if ('every_ms' in recurrence) return everySoOften(recurrence.every_ms)
  const { cron: text, timezone } = recurrence
  if (text.length > longest_cron) throw new RangeError('The cron expression is too long')
  // To the library it means "now", so that the expression would mean something else each time it is read.
  if (text.includes('?')) throw new TypeError('"?" means something else in each cron; write "*"')
  if (!isZone(timezone)) throw new RangeError(`${JSON.stringify(timezone)} is not a time zone; expected an IANA name, as "Europe/Vienna"`)
  const cron = read(text, timezone)
  const next = (after: number): number | null => cron.nextRun(new Date(after))?.getTime() ?? null
  return {
    next,
    between: (from, until, most) =>
      cron
        // The library looks for what lies before; `until` itself counts here.
        .previousRuns(most, new Date(until + 1_000 - (until % 1_000)))
        .map((date) => date.getTime())
        .filter((at) => at >= from && at <= until)
        .toReversed(),
  }
}

const read = (text: string, timezone: string): Cron => {
  try {
    return new Cron(text, { timezone, paused: true, mode: '5-or-6-parts' })
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) error.message = error.message.replace(/^CronPattern: /, '')
    throw error
  }
}

const everySoOften = (every_ms: number): Timetable => ({
  next: (after) => after + every_ms,
  between: (from, until, most) => {
    const count = until < from ? 0 : Math.floor((until - from) / every_ms) + 1
    const first = Math.max(0, count - most)
    return Array.from({ length: count - first }, (_, index) => from + (first + index) * every_ms)
  },
})
