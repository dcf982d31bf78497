import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface ConsentRow {
  readonly state_hash: string
  readonly integration_id: string
  readonly workspace_id: string
  readonly user_id: string
  readonly session_id: string
  readonly browser_hash: string
  readonly verifier: string
  readonly redirect_to: string
  readonly revision: number
  readonly created_at: string
  readonly expires_at: string
}

export const insert = async (db: TxDb, row: ConsentRow): Promise<void> => {
  await db.insertInto('integration_consents').values(row).execute()
}

export const deleteExpired = async (db: TxDb, at: string): Promise<void> => {
  await db.deleteFrom('integration_consents').where('expires_at', '<=', at).execute()
}

export const find = (db: ReadDb, state_hash: string, at: string): Promise<ConsentRow | undefined> =>
  db.selectFrom('integration_consents').selectAll().where('state_hash', '=', state_hash).where('expires_at', '>', at).executeTakeFirst()

/** Uses it up; of many that come at once one gets it. */
export const take = async (db: TxDb, state_hash: string): Promise<boolean> =>
  (await db.deleteFrom('integration_consents').where('state_hash', '=', state_hash).returning('state_hash').execute()).length === 1
