import { instant } from '../operators.ts'
import { Duration, Instant, spend, type Budget } from '../value.ts'
import { define, wrongArgument, type LibraryFunction } from './function.ts'
import { parseInstant } from './time-text.ts'
import { fromWall, toWall } from './zone.ts'

/** Looking a zone up costs some 100 µs; so many steps of other work. */
const zone_cost = 1_000

const wallOf = (budget: Budget, time: Instant, zone: string | undefined): { wall: Date; offset_ms: number } => {
  if (zone === undefined) return { wall: new Date(time.ms), offset_ms: 0 }
  spend(budget, zone_cost)
  return toWall(time.ms, zone)
}

const backFrom = (budget: Budget, wall: Date, zone: string | undefined): Instant => {
  if (zone === undefined) return instant(wall.getTime())
  spend(budget, zone_cost)
  return instant(fromWall(wall.getTime(), zone))
}

const fixed: { readonly [unit: string]: number } = { millisecond: 1, second: 1000, minute: 60_000, hour: 3_600_000 }
const calendar = ['day', 'week', 'month', 'quarter', 'year'] as const
type CalendarUnit = (typeof calendar)[number]

const unitOf = (text: string): string => {
  const unit = text.endsWith('s') ? text.slice(0, -1) : text
  if (unit in fixed || calendar.includes(unit as CalendarUnit)) return unit
  throw wrongArgument(
    `${JSON.stringify(text.slice(0, 40))} is not a unit of time; there are ${[...Object.keys(fixed), ...calendar].join(', ')}`,
  )
}

const addMonths = (wall: Date, months: number): void => {
  const day = wall.getUTCDate()
  wall.setUTCDate(1)
  wall.setUTCMonth(wall.getUTCMonth() + months)
  const last = new Date(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1, 0)).getUTCDate()
  wall.setUTCDate(Math.min(day, last))
}

const add = (budget: Budget, time: Instant, amount: number, text: string, zone: string | undefined): Instant => {
  const unit = unitOf(text)
  const length = fixed[unit]
  if (length !== undefined) return instant(time.ms + Math.trunc(amount * length))
  if (!Number.isInteger(amount) || Math.abs(amount) > 1_000_000) throw wrongArgument(`Whole ${unit}s are needed, not ${amount}`)
  const { wall } = wallOf(budget, time, zone)
  if (unit === 'day') wall.setUTCDate(wall.getUTCDate() + amount)
  else if (unit === 'week') wall.setUTCDate(wall.getUTCDate() + 7 * amount)
  else addMonths(wall, amount * (unit === 'month' ? 1 : unit === 'quarter' ? 3 : 12))
  return backFrom(budget, wall, zone)
}

const startOf = (budget: Budget, time: Instant, text: string, zone: string | undefined): Instant => {
  const unit = unitOf(text)
  const { wall } = wallOf(budget, time, zone)
  const length = fixed[unit]
  if (length !== undefined) return instant(time.ms - (wall.getTime() - Math.floor(wall.getTime() / length) * length))
  wall.setUTCHours(0, 0, 0, 0)
  // ISO 8601: a week starts on Monday.
  if (unit === 'week') wall.setUTCDate(wall.getUTCDate() - ((wall.getUTCDay() + 6) % 7))
  else if (unit !== 'day') wall.setUTCDate(1)
  if (unit === 'year') wall.setUTCMonth(0)
  if (unit === 'quarter') wall.setUTCMonth(Math.floor(wall.getUTCMonth() / 3) * 3)
  return backFrom(budget, wall, zone)
}

const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

const two = (value: number): string => String(value).padStart(2, '0')

const offsetText = (offset_ms: number): string => {
  const minutes = Math.round(Math.abs(offset_ms) / 60_000)
  return `${offset_ms < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

/** Fields of a pattern, named as in Unicode Technical Standard 35, part 4 ("Date Field Symbol Table"). */
const fields: { readonly [field: string]: (wall: Date, offset_ms: number) => string } = {
  yyyy: (wall) => String(wall.getUTCFullYear()).padStart(4, '0'),
  yy: (wall) => two(wall.getUTCFullYear() % 100),
  MMMM: (wall) => months[wall.getUTCMonth()] as string,
  MMM: (wall) => (months[wall.getUTCMonth()] as string).slice(0, 3),
  MM: (wall) => two(wall.getUTCMonth() + 1),
  M: (wall) => String(wall.getUTCMonth() + 1),
  dd: (wall) => two(wall.getUTCDate()),
  d: (wall) => String(wall.getUTCDate()),
  EEEE: (wall) => days[wall.getUTCDay()] as string,
  EEE: (wall) => (days[wall.getUTCDay()] as string).slice(0, 3),
  HH: (wall) => two(wall.getUTCHours()),
  H: (wall) => String(wall.getUTCHours()),
  hh: (wall) => two(wall.getUTCHours() % 12 || 12),
  h: (wall) => String(wall.getUTCHours() % 12 || 12),
  mm: (wall) => two(wall.getUTCMinutes()),
  ss: (wall) => two(wall.getUTCSeconds()),
  SSS: (wall) => String(wall.getUTCMilliseconds()).padStart(3, '0'),
  a: (wall) => (wall.getUTCHours() < 12 ? 'AM' : 'PM'),
  XXX: (_, offset_ms) => (offset_ms === 0 ? 'Z' : offsetText(offset_ms)),
  xxx: (_, offset_ms) => offsetText(offset_ms),
}

const format = (budget: Budget, time: Instant, pattern: string, zone: string | undefined): string => {
  const { wall, offset_ms } = wallOf(budget, time, zone)
  return pattern.replaceAll(/'((?:[^']|'')*)'|([A-Za-z])\2*/g, (found, quoted: string | undefined) => {
    if (quoted !== undefined) return quoted === '' ? "'" : quoted.replaceAll("''", "'")
    const field = Object.hasOwn(fields, found) ? fields[found] : undefined
    if (field) return field(wall, offset_ms)
    throw wrongArgument(
      `"${found.slice(0, 40)}" is not a field of a time pattern; there are ${Object.keys(fields).join(' ')}; quote text as 'T'`,
    )
  })
}

/** A getter of CEL's: of a timestamp in a zone, or the whole of a duration. */
const getter = (doc: string, of: (wall: Date) => number, unit_ms?: number): LibraryFunction =>
  define(doc, ['any', 'string?'], 'number', (budget, value, zone) => {
    if (value instanceof Duration && unit_ms !== undefined) return Math.trunc(value.ms / unit_ms)
    if (value instanceof Instant) return of(wallOf(budget, value, zone).wall)
    if (typeof value === 'string' || typeof value === 'number') return of(wallOf(budget, parseInstant(value), zone).wall)
    throw wrongArgument('A timestamp is needed')
  })

const dayOfYear = (wall: Date): number => Math.floor((wall.getTime() - new Date(wall.getTime()).setUTCMonth(0, 1)) / 86_400_000)

export const timeFunctions: { readonly [name: string]: LibraryFunction } = {
  timestamp: define(
    'A time from ISO 8601 text (wall-clock time in the zone when it has no offset) or Unix milliseconds.',
    ['any', 'string?'],
    'timestamp',
    (budget, value, zone) => {
      if (value instanceof Instant) return value
      if (zone !== undefined) spend(budget, zone_cost)
      if (typeof value === 'string' || typeof value === 'number') return parseInstant(value, zone)
      throw wrongArgument('A time is made from ISO 8601 text or Unix milliseconds')
    },
  ),
  duration: define('A duration from text as "1h30m" or milliseconds.', ['length'], 'duration', (_, length) => length),
  format: define('A time as text: `format(t, "yyyy-MM-dd HH:mm", "Europe/Vienna")`.', ['time', 'string', 'string?'], 'string', format),
  add: define(
    'A time moved by whole units, in the calendar of the zone: `t.add(1, "month", "Europe/Vienna")`.',
    ['time', 'number', 'string', 'string?'],
    'timestamp',
    add,
  ),
  startOf: define('The start of the day, week, month … that a time lies in.', ['time', 'string', 'string?'], 'timestamp', startOf),
  unix: define('A time as whole Unix seconds.', ['time'], 'number', (_, time) => Math.floor(time.ms / 1000)),
  millis: define('A time as Unix milliseconds.', ['time'], 'number', (_, time) => time.ms),
  getFullYear: getter('The year.', (wall) => wall.getUTCFullYear()),
  getMonth: getter('The month, from 0.', (wall) => wall.getUTCMonth()),
  getDate: getter('The day of the month, from 1.', (wall) => wall.getUTCDate()),
  getDayOfMonth: getter('The day of the month, from 0.', (wall) => wall.getUTCDate() - 1),
  getDayOfWeek: getter('The day of the week; Sunday is 0.', (wall) => wall.getUTCDay()),
  getDayOfYear: getter('The day of the year, from 0.', dayOfYear),
  getHours: getter('The hour; of a duration, its whole hours.', (wall) => wall.getUTCHours(), 3_600_000),
  getMinutes: getter('The minute; of a duration, its whole minutes.', (wall) => wall.getUTCMinutes(), 60_000),
  getSeconds: getter('The second; of a duration, its whole seconds.', (wall) => wall.getUTCSeconds(), 1000),
  getMilliseconds: getter('The millisecond; of a duration, all of them.', (wall) => wall.getUTCMilliseconds(), 1),
}
