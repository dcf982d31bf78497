import { openTimetable, type Recurrence } from '../../../engine/timetable.ts'
import type { Missed } from './schedule-store.ts'

/** Past this a time counts as missed, not as late. */
const late_ms = 60_000

/** Times that are made up for, at most. */
const most = 100

export interface Firing {
  /** The times to fire for now, in order, Unix milliseconds. */
  readonly times: readonly number[]
  readonly next_at: number | null
}

/** What a schedule whose next time was `due_at` does now, Unix milliseconds both. */
export const firingOf = (recurrence: Recurrence, missed: Missed, due_at: number, now: number): Firing => {
  const timetable = openTimetable(recurrence)
  const { every_ms } = recurrence as { every_ms?: number }
  const passed = timetable.between(due_at, now, missed === 'all' ? most : 1)
  const times = missed === 'skip' ? passed.filter((at) => at >= now - late_ms) : passed
  // An interval goes on from where it stood, whenever the server noticed.
  const last = every_ms === undefined ? now : (passed.at(-1) ?? due_at)
  return { times, next_at: timetable.next(last) }
}
