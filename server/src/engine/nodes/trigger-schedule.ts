import { Type, type Static } from 'typebox'
import { trigger } from '../node.ts'
import { openTimetable, type Recurrence } from '../timetable.ts'

export const ScheduleConfig = Type.Object(
  {
    cron: Type.Optional(
      Type.String({
        format: 'literal',
        minLength: 1,
        maxLength: 200,
        description: 'Five fields, minutes first, or six with seconds: `0 9 * * MON-FRI`.',
      }),
    ),
    every_ms: Type.Optional(
      Type.Integer({ minimum: 1000, maximum: 366 * 86_400_000, description: 'Instead of `cron`: so often, from when it is published.' }),
    ),
    timezone: Type.Optional(
      Type.String({
        format: 'literal',
        maxLength: 64,
        description: 'Whose clocks `cron` goes by, as `Europe/Vienna`; else the workflow’s `settings.timezone`, else UTC.',
      }),
    ),
    missed: Type.Optional(
      Type.Unsafe<'skip' | 'once' | 'all'>({
        type: 'string',
        format: 'literal',
        enum: ['skip', 'once', 'all'],
        default: 'skip',
        description:
          'What becomes of times at which no server ran: nothing, one execution for the last of them, or one for each, for the last 100 at most. A time is missed when it is over for more than a minute.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type ScheduleConfig = Static<typeof ScheduleConfig>

/** When a schedule recurs; `timezone` is the workflow's. */
export const recurrenceOf = ({ cron, every_ms, timezone }: ScheduleConfig, zone: string | undefined): Recurrence =>
  cron === undefined ? { every_ms: every_ms as number } : { cron, timezone: timezone ?? zone ?? 'UTC' }

/** Some day on which every expression has all of its times ahead. */
const beginning = Date.UTC(2026, 0, 1)

export const scheduleTrigger = trigger({
  type: 'trigger.schedule',
  title: 'Schedule',
  description:
    'Starts again and again: by a cron expression, or so often. By the clocks of its zone: a time of the day that is left out when they go forward comes right after the gap, and one that they show twice comes once.',
  icon: 'clock',
  config: ScheduleConfig,
  check: (config) => {
    const { cron, every_ms, timezone } = config as ScheduleConfig
    if ((cron === undefined) === (every_ms === undefined)) return [{ path: '', message: 'It takes either "cron" or "every_ms"' }]
    if (cron === undefined) return timezone === undefined ? [] : [{ path: '/timezone', message: 'An interval goes by no clocks' }]
    try {
      if (openTimetable({ cron, timezone: 'UTC' }).next(beginning) === null) return [{ path: '/cron', message: 'There is no such time' }]
    } catch (error) {
      return [{ path: '/cron', message: `This is no cron expression: ${(error as Error).message}` }]
    }
    try {
      openTimetable({ cron, timezone: timezone ?? 'UTC' })
    } catch (error) {
      return [{ path: '/timezone', message: (error as Error).message }]
    }
    return []
  },
  output: Type.Object({
    scheduled_at: Type.String({ format: 'date-time', description: 'The time it was for.' }),
    fired_at: Type.String({ format: 'date-time', description: 'The time at which it started.' }),
  }),
  example: {
    config: { cron: '0 9 * * MON-FRI', timezone: 'Europe/Vienna', missed: 'once' },
    trigger: { scheduled_at: '2026-11-20T08:00:00.000Z', fired_at: '2026-11-20T08:00:00.004Z' },
  },
})
