import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'

export type RevokedReason =
  | 'logout'
  | 'logout_all'
  | 'removed'
  | 'refresh_reused'
  | 'deactivated'
  | 'too_many'
  | 'password_changed'
  | 'password_reset'
  | 'claimed'
  | 'disowned'
  | 'mfa_removed'
  | 'impersonation_ended'
  | 'impersonator_left'

export interface SessionRow {
  readonly id: string
  readonly user_id: string
  readonly workspace_id: string
  readonly remember_me: boolean
  readonly user_agent: string | null
  readonly address: string | null
  readonly created_at: string
  readonly last_seen_at: string
  readonly idle_expires_at: string
  readonly expires_at: string
  readonly revoked_at: string | null
  /** The admin who acts in it as the user, and from which session of theirs; null for the user's own. */
  readonly impersonator_id: string | null
  readonly impersonator_session_id: string | null
}

const columns = [
  'id',
  'user_id',
  'workspace_id',
  'remember_me',
  'user_agent',
  'address',
  'created_at',
  'last_seen_at',
  'idle_expires_at',
  'expires_at',
  'revoked_at',
  'impersonator_id',
  'impersonator_session_id',
] as const

export const passwordHash = async (db: ReadDb, user_id: string): Promise<string | null> =>
  (await db.selectFrom('user_passwords').select('hash').where('user_id', '=', user_id).executeTakeFirst())?.hash ?? null

export const putPassword = async (db: TxDb, user_id: string, hash: string, at: string): Promise<void> => {
  await db
    .insertInto('user_passwords')
    .values({ user_id, hash, updated_at: at })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ hash, updated_at: at }))
    .execute()
}

export const deletePassword = async (db: TxDb, user_id: string): Promise<void> => {
  await db.deleteFrom('user_passwords').where('user_id', '=', user_id).execute()
}

export const insertSession = async (db: TxDb, session: Omit<SessionRow, 'revoked_at'>): Promise<void> => {
  await db.insertInto('sessions').values(session).execute()
}

export const sessionById = (db: ReadDb, id: string): Promise<SessionRow | undefined> =>
  db.selectFrom('sessions').select(columns).where('id', '=', id).executeTakeFirst()

/** Those that can still be used, the last seen first. */
export const liveSessions = (db: ReadDb, user_id: string, at: string): Promise<readonly SessionRow[]> =>
  db
    .selectFrom('sessions')
    .select(columns)
    .where('user_id', '=', user_id)
    .where('revoked_at', 'is', null)
    .where('idle_expires_at', '>', at)
    .orderBy('last_seen_at', 'desc')
    .orderBy('id', 'desc')
    .execute()

export const seeSession = async (
  db: TxDb,
  id: string,
  seen: {
    readonly workspace_id: string
    readonly last_seen_at: string
    readonly idle_expires_at: string
    readonly address: string | null
    readonly user_agent: string | null
  },
): Promise<void> => {
  await db.updateTable('sessions').set(seen).where('id', '=', id).execute()
}

/** Ends those of the named sessions, or all of them, that have not ended; answers which. */
export const revokeSessions = (
  db: TxDb,
  user_id: string,
  ids: readonly string[] | 'all',
  reason: RevokedReason,
  at: string,
): Promise<readonly Ended[]> =>
  db
    .updateTable('sessions')
    .set({ revoked_at: at, revoked_reason: reason })
    .where('user_id', '=', user_id)
    .where('revoked_at', 'is', null)
    .$if(ids !== 'all', (query) => query.where('id', 'in', ids as readonly string[]))
    .returning(['id', 'user_id', 'impersonator_id'])
    .execute()

type Ended = Pick<SessionRow, 'id' | 'user_id' | 'impersonator_id'>

/** Ends those in which somebody acts as a user from one of the named sessions of theirs. */
export const revokeImpersonated = (db: TxDb, from: readonly string[], reason: RevokedReason, at: string): Promise<readonly Ended[]> =>
  db
    .updateTable('sessions')
    .set({ revoked_at: at, revoked_reason: reason })
    .where(sql<boolean>`impersonator_session_id = any(${from}::uuid[])`)
    .where('revoked_at', 'is', null)
    .returning(['id', 'user_id', 'impersonator_id'])
    .execute()

/** Those of the user's own beyond the first `keep`, last seen first. */
export const surplusSessions = (db: ReadDb, user_id: string, at: string, keep: number): Promise<readonly { id: string }[]> =>
  db
    .selectFrom('sessions')
    .select('id')
    .where('user_id', '=', user_id)
    .where('impersonator_id', 'is', null)
    .where('revoked_at', 'is', null)
    .where('idle_expires_at', '>', at)
    .orderBy('last_seen_at', 'desc')
    .orderBy('id', 'desc')
    .offset(keep)
    .execute()

/** What could last have been refreshed so long ago that nobody asks for it any more. */
export const deleteOldSessions = async (db: TxDb, user_id: string, before: string): Promise<void> => {
  await db.deleteFrom('sessions').where('user_id', '=', user_id).where('idle_expires_at', '<', before).execute()
}

export const insertRefreshToken = async (
  db: TxDb,
  token: {
    readonly token_hash: string
    readonly session_id: string
    readonly parent_hash: string | null
    readonly created_at: string
    readonly expires_at: string
  },
): Promise<void> => {
  await db.insertInto('refresh_tokens').values(token).execute()
}

/** The session that a token belongs to, and its workspace. */
export const sessionOfToken = (db: ReadDb, token_hash: string): Promise<{ session_id: string; workspace_id: string } | undefined> =>
  db
    .selectFrom('refresh_tokens as t')
    .innerJoin('sessions as s', 's.id', 't.session_id')
    .select(['t.session_id', 's.workspace_id'])
    .where('t.token_hash', '=', token_hash)
    .executeTakeFirst()

/** Takes the family's lock: whoever presents another of its tokens waits, and then reads what was done meanwhile. */
export const lockSession = (db: TxDb, id: string): Promise<SessionRow | undefined> =>
  db.selectFrom('sessions').select(columns).where('id', '=', id).forUpdate().executeTakeFirst()

export const tokenWithChild = (
  db: TxDb,
  token_hash: string,
): Promise<{ used_at: string | null; expires_at: string; child_used_at: string | null } | undefined> =>
  db
    .selectFrom('refresh_tokens as t')
    .leftJoin('refresh_tokens as child', 'child.parent_hash', 't.token_hash')
    .select(['t.used_at', 't.expires_at', 'child.used_at as child_used_at'])
    .where('t.token_hash', '=', token_hash)
    .executeTakeFirst()

export const useToken = async (db: TxDb, token_hash: string, at: string): Promise<void> => {
  await db.updateTable('refresh_tokens').set({ used_at: at }).where('token_hash', '=', token_hash).execute()
}

/** Tokens past their expiry cannot be told from unknown ones any more, and need not be. */
export const deleteExpiredTokens = async (db: TxDb, session_id: string, at: string): Promise<void> => {
  await db.deleteFrom('refresh_tokens').where('session_id', '=', session_id).where('expires_at', '<', at).execute()
}
