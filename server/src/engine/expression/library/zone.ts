import { Fault } from '../value.ts'

const formatter = (zone: string): Intl.DateTimeFormat => {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    throw new Fault(
      'expression.argument',
      `${JSON.stringify(zone.slice(0, 60))} is not a time zone; expected an IANA name, as "Europe/Vienna"`,
    )
  }
}

const is_utc = (zone: string): boolean => zone === 'UTC' || zone === 'Etc/UTC' || zone === 'Z'

/** Milliseconds that clocks in the zone are ahead of UTC at that moment. */
type OffsetAt = (ms: number) => number

const offsets = (zone: string): OffsetAt => {
  if (is_utc(zone)) return () => 0
  const format = formatter(zone)
  return (ms) => {
    const parts: { [type: string]: number } = {}
    for (const { type, value } of format.formatToParts(ms)) parts[type] = Number(value)
    const wall = new Date(0)
    wall.setUTCFullYear(parts['year'] as number, (parts['month'] as number) - 1, parts['day'])
    wall.setUTCHours(parts['hour'] as number, parts['minute'], parts['second'])
    return wall.getTime() - Math.floor(ms / 1000) * 1000
  }
}

/** What clocks in the zone show, as if it were UTC; and how far they are ahead. */
export const toWall = (ms: number, zone: string): { readonly wall: Date; readonly offset_ms: number } => {
  const offset_ms = offsets(zone)(ms)
  return { wall: new Date(ms + offset_ms), offset_ms }
}

/**
 * The moment at which clocks in the zone show `wall` (written as if it were UTC). Of two such moments, when clocks go back, the earlier;
 * of none, when they go forward, as much later as they skip. The rule is RFC 5545's and Temporal's "compatible".
 */
export const fromWall = (wall: number, zone: string): number => {
  const offset_at = offsets(zone)
  const day = 86_400_000
  const before = offset_at(wall - day)
  const after = offset_at(wall + day)
  const early = wall - before
  if (before === after || offset_at(early) === before) return early
  const late = wall - after
  return offset_at(late) === after ? late : early
}
