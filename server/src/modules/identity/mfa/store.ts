import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface TotpRow {
  readonly sealed_secret: string
  readonly created_at: string
  readonly confirmed_at: string | null
  readonly last_step: number
  readonly wrong_in_a_row: number
  readonly blocked_until: string | null
}

const totpColumns = ['sealed_secret', 'created_at', 'confirmed_at', 'last_step', 'wrong_in_a_row', 'blocked_until'] as const

export const totpOf = (db: ReadDb, user_id: string): Promise<TotpRow | undefined> =>
  db.selectFrom('totp_factors').select(totpColumns).where('user_id', '=', user_id).executeTakeFirst()

/** Takes the factor's lock: guesses at one account come one after the other, so that their count holds. */
export const lockTotp = (db: TxDb, user_id: string): Promise<TotpRow | undefined> =>
  db.selectFrom('totp_factors').select(totpColumns).where('user_id', '=', user_id).forUpdate().executeTakeFirst()

/** Stores a secret that is offered, in place of one offered before; false when one is in use. */
export const offerTotp = async (db: TxDb, user_id: string, sealed_secret: string, at: string): Promise<boolean> => {
  const offered = { sealed_secret, created_at: at }
  const rows = await db
    .insertInto('totp_factors')
    .values({ user_id, ...offered })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(offered).where('totp_factors.confirmed_at', 'is', null))
    .returning('user_id')
    .execute()
  return rows.length === 1
}

export const confirmTotp = async (db: TxDb, user_id: string, last_step: number, at: string): Promise<void> => {
  await db.updateTable('totp_factors').set({ confirmed_at: at, last_step }).where('user_id', '=', user_id).execute()
}

/** The one statement that uses a step up: of many at once, one gets it. */
export const useStep = async (db: TxDb, user_id: string, step: number): Promise<boolean> => {
  const rows = await db
    .updateTable('totp_factors')
    .set({ last_step: step })
    .where('user_id', '=', user_id)
    .where('confirmed_at', 'is not', null)
    .where('last_step', '<', step)
    .returning('user_id')
    .execute()
  return rows.length === 1
}

export const setGuesses = async (
  db: TxDb,
  user_id: string,
  guesses: { readonly wrong_in_a_row: number; readonly blocked_until: string | null },
): Promise<void> => {
  await db.updateTable('totp_factors').set(guesses).where('user_id', '=', user_id).execute()
}

export const deleteTotp = async (db: TxDb, user_id: string): Promise<boolean> => {
  const rows = await db
    .deleteFrom('totp_factors')
    .where('user_id', '=', user_id)
    .where('confirmed_at', 'is not', null)
    .returning('user_id')
    .execute()
  return rows.length === 1
}

export const countCodes = async (db: ReadDb, user_id: string): Promise<number> => {
  const row = await db
    .selectFrom('recovery_codes')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('user_id', '=', user_id)
    .where('used_at', 'is', null)
    .executeTakeFirst()
  return row?.count ?? 0
}

export const replaceCodes = async (db: TxDb, user_id: string, hashes: readonly string[]): Promise<void> => {
  await deleteCodes(db, user_id)
  await db
    .insertInto('recovery_codes')
    .values(hashes.map((code_hash) => ({ user_id, code_hash })))
    .execute()
}

/** The one statement that uses a code up: of many at once, one gets it. */
export const useCode = async (db: TxDb, user_id: string, code_hash: string, at: string): Promise<boolean> => {
  const rows = await db
    .updateTable('recovery_codes')
    .set({ used_at: at })
    .where('user_id', '=', user_id)
    .where('code_hash', '=', code_hash)
    .where('used_at', 'is', null)
    .returning('user_id')
    .execute()
  return rows.length === 1
}

export const deleteCodes = async (db: TxDb, user_id: string): Promise<void> => {
  await db.deleteFrom('recovery_codes').where('user_id', '=', user_id).execute()
}
