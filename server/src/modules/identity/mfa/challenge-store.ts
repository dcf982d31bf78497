import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface ChallengeRow {
  readonly user_id: string
  readonly method: string
  readonly remember_me: boolean
  readonly wrong_tries: number
}

const columns = ['user_id', 'method', 'remember_me', 'wrong_tries'] as const

export const insertChallenge = async (
  db: TxDb,
  challenge: Omit<ChallengeRow, 'wrong_tries'> & { readonly token_hash: string; readonly created_at: string; readonly expires_at: string },
): Promise<void> => {
  await db.deleteFrom('mfa_challenges').where('user_id', '=', challenge.user_id).where('expires_at', '<=', challenge.created_at).execute()
  await db.insertInto('mfa_challenges').values(challenge).execute()
}

/** A challenge whose time is not over. */
export const findChallenge = (db: ReadDb, token_hash: string, at: string): Promise<ChallengeRow | undefined> =>
  db.selectFrom('mfa_challenges').select(columns).where('token_hash', '=', token_hash).where('expires_at', '>', at).executeTakeFirst()

/** Takes the challenge's lock: tries come one after the other, so that their count holds and one alone succeeds. */
export const lockChallenge = (db: TxDb, token_hash: string, at: string): Promise<ChallengeRow | undefined> =>
  db
    .selectFrom('mfa_challenges')
    .select(columns)
    .where('token_hash', '=', token_hash)
    .where('expires_at', '>', at)
    .forUpdate()
    .executeTakeFirst()

export const countWrongTry = async (db: TxDb, token_hash: string, wrong_tries: number): Promise<void> => {
  await db.updateTable('mfa_challenges').set({ wrong_tries }).where('token_hash', '=', token_hash).execute()
}

/** The one statement that uses a challenge up: of many at once, one gets it. */
export const takeChallenge = async (db: TxDb, token_hash: string): Promise<boolean> => {
  const rows = await db.deleteFrom('mfa_challenges').where('token_hash', '=', token_hash).returning('token_hash').execute()
  return rows.length === 1
}

export const deleteChallenges = async (db: TxDb, user_id: string): Promise<void> => {
  await db.deleteFrom('mfa_challenges').where('user_id', '=', user_id).execute()
}
