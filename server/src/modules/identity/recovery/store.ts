import type { TxDb } from '../../../platform/database/open.ts'

/** Every way into an account but its sessions and links, which have verbs of their own. */
export const deleteWaysIn = async (db: TxDb, user_id: string): Promise<void> => {
  await db.deleteFrom('user_passwords').where('user_id', '=', user_id).execute()
}
