import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

/** Workspaces whose grace is over, the longest first. */
export const duePurges = async (db: ReadDb, at: string, most: number): Promise<readonly string[]> => {
  const rows = await db.selectFrom('workspaces').select('id').where('purge_at', '<=', at).orderBy('purge_at').limit(most).execute()
  return rows.map(({ id }) => id)
}

export const removeMembers = async (db: TxDb, workspace_id: string): Promise<void> => {
  await db.deleteFrom('workspace_members').where('workspace_id', '=', workspace_id).execute()
}

export const deleteWorkspace = async (db: TxDb, id: string): Promise<boolean> => {
  const gone = await db.deleteFrom('workspaces').where('id', '=', id).returning('id').executeTakeFirst()
  return gone !== undefined
}

/** Workspaces in use that nobody owns. */
export const ownerless = async (db: ReadDb, most: number): Promise<readonly string[]> => {
  const rows = await db
    .selectFrom('workspaces as w')
    .select('w.id')
    .where('w.deleted_at', 'is', null)
    .where(sql<boolean>`not exists (select from workspace_members m where m.workspace_id = w.id and m.role = 'owner')`)
    .limit(most)
    .execute()
  return rows.map(({ id }) => id)
}

/** The workspaces in use that a user belongs to. */
export const workspacesOf = async (db: ReadDb, user_id: string): Promise<readonly string[]> => {
  const rows = await db
    .selectFrom('workspace_members as m')
    .innerJoin('workspaces as w', 'w.id', 'm.workspace_id')
    .select('w.id')
    .where('m.user_id', '=', user_id)
    .where('w.deleted_at', 'is', null)
    .execute()
  return rows.map(({ id }) => id)
}
