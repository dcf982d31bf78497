import { sql } from 'kysely'
import type { TxDb } from '../../../platform/database/open.ts'

/** False for one that came before. Forgets those that no sender repeats any more. */
export const insertDelivery = async (db: TxDb, source: string, delivery_id: string, at: string): Promise<boolean> => {
  await sql`delete from inbound_deliveries where received_at < ${at}::timestamptz - interval '7 days'`.execute(db)
  const rows = await db
    .insertInto('inbound_deliveries')
    .values({ source, delivery_id, received_at: at })
    .onConflict((conflict) => conflict.doNothing())
    .returning('delivery_id')
    .execute()
  return rows.length === 1
}
