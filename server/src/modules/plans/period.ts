/** A calendar month or an hour, UTC, in ISO 8601. */
export interface Period {
  readonly period_start: string
  /** The first moment after it. */
  readonly period_end: string
}

const hour_ms = 3_600_000

/** The calendar month, in UTC, of a moment in Unix milliseconds. */
export const monthOf = (now: number): Period => {
  const date = new Date(now)
  const year = date.getUTCFullYear()
  const month = date.getUTCMonth()
  return {
    period_start: new Date(Date.UTC(year, month)).toISOString(),
    period_end: new Date(Date.UTC(year, month + 1)).toISOString(),
  }
}

export const hourOf = (now: number): Period => {
  const start = Math.floor(now / hour_ms) * hour_ms
  return { period_start: new Date(start).toISOString(), period_end: new Date(start + hour_ms).toISOString() }
}
