import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openTimetable, type Recurrence } from './timetable.ts'

/** The first times after one, as ISO 8601 without what is always the same. */
const after = (recurrence: Recurrence, from: string, count: number): readonly string[] => {
  const { next } = openTimetable(recurrence)
  const times: string[] = []
  for (let at = next(Date.parse(from)); at !== null && times.length < count; at = next(at))
    times.push(new Date(at).toISOString().slice(0, 19))
  return times
}
const vienna = (cron: string): Recurrence => ({ cron, timezone: 'Europe/Vienna' })

describe('when the clocks go forward', () => {
  test('a time of the day that is left out comes right after the gap, once', () => {
    expect(after(vienna('30 2 * * *'), '2026-03-28T12:00:00Z', 2)).toEqual(['2026-03-29T01:00:00', '2026-03-30T00:30:00'])
    expect(after({ cron: '30 2 * * *', timezone: 'America/New_York' }, '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-08T07:00:00',
      '2026-03-09T06:30:00',
    ])
  })

  test('what recurs within the hour goes on at its pace', () => {
    expect(after(vienna('*/30 * * * *'), '2026-03-29T00:15:00Z', 3)).toEqual([
      '2026-03-29T00:30:00',
      '2026-03-29T01:00:00',
      '2026-03-29T01:30:00',
    ])
  })
})

describe('when the clocks go back', () => {
  test('a time of the day that they show twice comes once, the first time', () => {
    expect(after(vienna('30 2 * * *'), '2026-10-24T12:00:00Z', 2)).toEqual(['2026-10-25T00:30:00', '2026-10-26T01:30:00'])
    expect(after(vienna('30 2 * * *'), '2026-10-25T00:30:00Z', 1)).toEqual(['2026-10-26T01:30:00'])
    expect(after({ cron: '30 1 * * *', timezone: 'America/New_York' }, '2026-10-31T12:00:00Z', 2)).toEqual([
      '2026-11-01T05:30:00',
      '2026-11-02T06:30:00',
    ])
  })

  test('what recurs within the hour comes in both hours', () => {
    expect(after(vienna('*/30 * * * *'), '2026-10-24T23:45:00Z', 5)).toEqual([
      '2026-10-25T00:00:00',
      '2026-10-25T00:30:00',
      '2026-10-25T01:00:00',
      '2026-10-25T01:30:00',
      '2026-10-25T02:00:00',
    ])
  })

  test('half an hour counts as much where clocks go back by that', () => {
    expect(after({ cron: '45 1 * * *', timezone: 'Australia/Lord_Howe' }, '2026-04-04T00:00:00Z', 2)).toEqual([
      '2026-04-04T14:45:00',
      '2026-04-05T15:15:00',
    ])
  })
})

test('nine in the morning is nine in the morning on each side of the change', () => {
  expect(after(vienna('0 9 * * *'), '2026-03-27T12:00:00Z', 3)).toEqual([
    '2026-03-28T08:00:00',
    '2026-03-29T07:00:00',
    '2026-03-30T07:00:00',
  ])
})

test('cron knows seconds, names, the last day and the second Friday', () => {
  const utc = (cron: string) => after({ cron, timezone: 'UTC' }, '2026-11-20T10:00:00Z', 2)
  expect(utc('*/20 * * * * *')).toEqual(['2026-11-20T10:00:20', '2026-11-20T10:00:40'])
  expect(utc('0 9 * * MON-FRI')).toEqual(['2026-11-23T09:00:00', '2026-11-24T09:00:00'])
  expect(utc('0 0 L * *')).toEqual(['2026-11-30T00:00:00', '2026-12-31T00:00:00'])
  expect(utc('0 0 * * FRI#2')).toEqual(['2026-12-11T00:00:00', '2027-01-08T00:00:00'])
  expect(utc('0 0 29 2 *')).toEqual(['2028-02-29T00:00:00', '2032-02-29T00:00:00'])
  expect(utc('0 0 31 2 *')).toEqual([])
})

test('what is no cron expression is refused with a reason', () => {
  for (const cron of ['', 'every day', '* * * *', '60 * * * *', '1-0 * * * *', '0 0 ? * MON', '* * * * * * *', '@reboot', '*'.repeat(300)])
    expect(() => openTimetable({ cron, timezone: 'UTC' }), cron).toThrow(/.{10}/)
  expect(() => openTimetable({ cron: '* * * * *', timezone: 'Nowhere/City' })).toThrow(/is not a time zone/)
})

const zones = ['Europe/Vienna', 'America/New_York', 'Australia/Lord_Howe', 'UTC', 'Africa/Casablanca', 'Asia/Kathmandu']
const crons = ['30 2 * * *', '*/20 * * * *', '0 */3 * * *', '15 1,2,3 * * *', '0 0 1 * *', '*/30 * * * * *', '0 9 * * MON-FRI']

test('the times that have passed are those that were to come', () => {
  const recurrence = fc.oneof(
    fc.record({ cron: fc.constantFrom(...crons), timezone: fc.constantFrom(...zones) }),
    fc.record({ every_ms: fc.integer({ min: 1_000, max: 90_000_000 }) }),
  )
  const start = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) })
  let passed = 0
  fc.assert(
    fc.property(recurrence, start, fc.integer({ min: 0, max: 40_000_000 }), fc.integer({ min: 1, max: 20 }), (each, begin, span, most) => {
      const { next, between } = openTimetable(each)
      const from = next(begin) as number
      const until = from + span
      const expected: number[] = []
      for (let at: number | null = from; at !== null && at <= until; at = next(at)) expected.push(at)
      expect(between(from, until, most)).toEqual(expected.slice(-most))
      passed += expected.length
    }),
    { numRuns: 60 },
  )
  expect(passed).toBeGreaterThan(500)
})
