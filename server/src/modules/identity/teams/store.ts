import type { TxDb } from '../../../platform/database/open.ts'

export const putWorkspace = async (db: TxDb, session_id: string, workspace_id: string): Promise<void> => {
  await db.updateTable('sessions').set({ workspace_id }).where('id', '=', session_id).execute()
}
