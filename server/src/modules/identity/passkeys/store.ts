import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface PasskeyRow {
  readonly id: string
  readonly user_id: string
  readonly credential_id: string
  readonly public_key: string
  readonly counter: number
  readonly transports: string[]
  readonly aaguid: string
  readonly is_synced: boolean
  readonly name: string
  readonly revision: number
  readonly created_at: string
  readonly last_used_at: string | null
}

const columns = [
  'id',
  'user_id',
  'credential_id',
  'public_key',
  'counter',
  'transports',
  'aaguid',
  'is_synced',
  'name',
  'revision',
  'created_at',
  'last_used_at',
] as const

export const passkeysOf = (db: ReadDb, user_id: string): Promise<readonly PasskeyRow[]> =>
  db.selectFrom('passkeys').select(columns).where('user_id', '=', user_id).orderBy('id').execute()

export const countPasskeys = async (db: ReadDb, user_id: string): Promise<number> => {
  const row = await db
    .selectFrom('passkeys')
    .select(sql<number>`count(*)::int`.as('count'))
    .where('user_id', '=', user_id)
    .executeTakeFirst()
  return row?.count ?? 0
}

export const passkeyById = (db: ReadDb, user_id: string, id: string): Promise<PasskeyRow | undefined> =>
  db.selectFrom('passkeys').select(columns).where('user_id', '=', user_id).where('id', '=', id).executeTakeFirst()

export const ownerOfCredential = async (db: ReadDb, credential_id: string): Promise<string | null> =>
  (await db.selectFrom('passkeys').select('user_id').where('credential_id', '=', credential_id).executeTakeFirst())?.user_id ?? null

/** Takes the credential's lock: uses of it come one after the other, so that its counter goes up. */
export const lockCredential = (db: TxDb, credential_id: string): Promise<PasskeyRow | undefined> =>
  db.selectFrom('passkeys').select(columns).where('credential_id', '=', credential_id).forUpdate().executeTakeFirst()

/** Undefined when the credential is somebody's already. */
export const insertPasskey = (db: TxDb, passkey: Omit<PasskeyRow, 'revision' | 'last_used_at'>): Promise<PasskeyRow | undefined> =>
  db
    .insertInto('passkeys')
    .values(passkey)
    .onConflict((conflict) => conflict.column('credential_id').doNothing())
    .returning(columns)
    .executeTakeFirst()

export const usePasskey = async (
  db: TxDb,
  id: string,
  use: { readonly counter: number; readonly is_synced: boolean; readonly last_used_at: string },
): Promise<void> => {
  await db.updateTable('passkeys').set(use).where('id', '=', id).execute()
}

/** Undefined when there is none at that revision. */
export const renamePasskey = (db: TxDb, id: string, name: string, revision: number): Promise<PasskeyRow | undefined> =>
  db
    .updateTable('passkeys')
    .set({ name, revision: revision + 1 })
    .where('id', '=', id)
    .where('revision', '=', revision)
    .returning(columns)
    .executeTakeFirst()

export const deletePasskeys = (
  db: TxDb,
  user_id: string,
  ids: readonly string[] | 'all',
): Promise<readonly { id: string; name: string }[]> =>
  db
    .deleteFrom('passkeys')
    .where('user_id', '=', user_id)
    .$if(ids !== 'all', (query) => query.where('id', 'in', ids as readonly string[]))
    .returning(['id', 'name'])
    .execute()

export const handleOf = async (db: ReadDb, user_id: string): Promise<string | null> =>
  (await db.selectFrom('passkey_handles').select('handle').where('user_id', '=', user_id).executeTakeFirst())?.handle ?? null

/** Answers the one that is stored: the given one, or that of a request that was faster. */
export const keepHandle = async (db: TxDb, user_id: string, handle: string): Promise<string> => {
  await db
    .insertInto('passkey_handles')
    .values({ user_id, handle })
    .onConflict((conflict) => conflict.column('user_id').doNothing())
    .execute()
  return (await handleOf(db, user_id)) as string
}

/** The one statement that uses a challenge up: of many at once, one gets it. */
export const spendChallenge = async (db: TxDb, challenge_hash: string, expires_at: string, at: string): Promise<boolean> => {
  await db
    .deleteFrom('passkey_challenges_used')
    .where('challenge_hash', 'in', (of) =>
      of.selectFrom('passkey_challenges_used').select('challenge_hash').where('expires_at', '<=', at).limit(100).forUpdate().skipLocked(),
    )
    .execute()
  const rows = await db
    .insertInto('passkey_challenges_used')
    .values({ challenge_hash, expires_at })
    .onConflict((conflict) => conflict.column('challenge_hash').doNothing())
    .returning('challenge_hash')
    .execute()
  return rows.length === 1
}
