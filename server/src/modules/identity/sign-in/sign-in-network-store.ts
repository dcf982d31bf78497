import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

/** Notes a network, once a day, and forgets those that are too old or too many. */
export const putNetwork = async (
  db: TxDb,
  seen: {
    readonly user_id: string
    readonly network: string
    readonly now: string
    readonly oldest: string
    readonly most: number
  },
): Promise<void> => {
  const { user_id, network, now, oldest, most } = seen
  await sql`
    with surplus as (
      select network
      from sign_in_networks
      where user_id = ${user_id} and network <> ${network}
      order by last_seen_at desc
      offset ${most - 1}
    ), forgotten as (
      delete from sign_in_networks
      where user_id = ${user_id}
        and network <> ${network}
        and (last_seen_at < ${oldest} or network in (select network from surplus))
    )
    insert into sign_in_networks as known (user_id, network, last_seen_at)
    values (${user_id}, ${network}, ${now})
    on conflict (user_id, network) do update
    set last_seen_at = excluded.last_seen_at
    where known.last_seen_at < excluded.last_seen_at - interval '1 day'`.execute(db)
}

export const deleteNetworks = async (db: TxDb, user_id: string): Promise<void> => {
  await db.deleteFrom('sign_in_networks').where('user_id', '=', user_id).execute()
}

export const hasNetwork = async (db: ReadDb, user_id: string, network: string, oldest: string): Promise<boolean> =>
  (await db
    .selectFrom('sign_in_networks')
    .select('network')
    .where('user_id', '=', user_id)
    .where('network', '=', network)
    .where('last_seen_at', '>', oldest)
    .executeTakeFirst()) !== undefined

/** Where the sessions that a user has themselves were seen last. */
export const addressesOfSessions = async (db: ReadDb, user_id: string, at: string): Promise<readonly string[]> => {
  const rows = await db
    .selectFrom('sessions')
    .select('address')
    .where('user_id', '=', user_id)
    .where('impersonator_id', 'is', null)
    .where('revoked_at', 'is', null)
    .where('idle_expires_at', '>', at)
    .where('address', 'is not', null)
    .execute()
  return rows.map(({ address }) => address as string)
}
