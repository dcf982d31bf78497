import { instant } from '../operators.ts'
import { Duration, Fault, type Instant } from '../value.ts'
import { fromWall } from './zone.ts'

const iso = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|z|[+-]\d{2}:?\d{2})?)?$/

const wrongTime = (text: string): Fault =>
  new Fault('expression.argument', `${JSON.stringify(text.slice(0, 60))} is not a time; expected ISO 8601, as "2026-03-29T09:00:00Z"`)

const offsetMinutes = (text: string): number => {
  if (text === 'Z' || text === 'z') return 0
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2))
  return text[0] === '-' ? -minutes : minutes
}

/** ISO 8601 text, or Unix milliseconds. Text without an offset is wall-clock time in `zone` (an IANA name; UTC when not given). */
export const parseInstant = (value: string | number, zone = 'UTC'): Instant => {
  if (typeof value === 'number') return instant(Math.trunc(value))
  const found = value.length > 40 ? null : iso.exec(value.trim())
  if (!found) throw wrongTime(value)
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const milliseconds = Number((found[7] ?? '').padEnd(3, '0').slice(0, 3))
  const utc = new Date(0)
  utc.setUTCFullYear(year, month - 1, day)
  const right_date = utc.getUTCMonth() === month - 1 && utc.getUTCDate() === day
  utc.setUTCHours(hour, minute, second, milliseconds)
  if (!right_date || hour > 23 || minute > 59 || second > 59) throw wrongTime(value)
  return instant(found[8] === undefined ? fromWall(utc.getTime(), zone) : utc.getTime() - offsetMinutes(found[8]) * 60_000)
}

const units: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Text as `"1h30m"`, `"90s"`, `"500ms"`, `"2d"`, signed; or milliseconds. */
export const parseDuration = (value: string | number): Duration => {
  if (typeof value === 'number') return new Duration(Math.trunc(value))
  const text = value.trim()
  const wrong = new Fault(
    'expression.argument',
    `${JSON.stringify(value.slice(0, 60))} is not a duration; expected one as "1h30m" or "90s"`,
  )
  if (text.length > 60 || !/^[+-]?(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) throw wrong
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) total += Number(amount) * (units[unit as string] as number)
  if (!Number.isSafeInteger(Math.trunc(total))) throw wrong
  return new Duration(Math.trunc(text[0] === '-' ? -total : total))
}
