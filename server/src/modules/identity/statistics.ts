import { sql } from 'kysely'
import type { ReadDb } from '../../platform/database/open.ts'
import type { Statistic } from '../../platform/module.ts'

const day_ms = 86_400_000

/** Who was there since then: the newest session of a user is never removed before a newer one is made. */
const activeSince = (db: ReadDb, times: { readonly day: string; readonly week: string; readonly month: string }) =>
  db
    .selectFrom('sessions')
    .select([
      sql<number>`count(distinct user_id) filter (where last_seen_at >= ${times.day})`.as('active_last_day'),
      sql<number>`count(distinct user_id) filter (where last_seen_at >= ${times.week})`.as('active_last_7_days'),
      sql<number>`count(distinct user_id)`.as('active_last_30_days'),
    ])
    .where('last_seen_at', '>=', times.month)
    .where('impersonator_id', 'is', null)
    .executeTakeFirstOrThrow()

export const activity: Statistic = {
  name: 'activity',
  doc: 'Accounts that signed in or refreshed a session in the last day, 7 days and 30 days.',
  ofInstallation: (ctx) => {
    const ago = (days: number): string => new Date(ctx.now() - days * day_ms).toISOString()
    return activeSince(ctx.db, { day: ago(1), week: ago(7), month: ago(30) })
  },
}
