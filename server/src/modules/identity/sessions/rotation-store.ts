import { sql } from 'kysely'
import { iso } from '../../../lib/iso.ts'
import type { TxDb } from '../../../platform/database/open.ts'

/** A refresh token to be used, the one that follows it, and who asks. */
export interface Rotation {
  readonly token_hash: string
  readonly child_hash: string
  readonly address: string | null
  readonly user_agent: string | null
}

/** The session of a token that was used. */
export interface Rotated {
  readonly token_hash: string
  readonly id: string
  readonly user_id: string
  readonly workspace_id: string
  readonly idle_expires_at: string
  readonly expires_at: string
}

interface When {
  /** Unix milliseconds. */
  readonly now: number
  /** How long a session lives without a refresh, milliseconds: not remembered, and remembered. */
  readonly short: number
  readonly long: number
}

/**
 * Uses up those of the tokens that are good and were never used, records their children and notes that their sessions were seen; answers
 * which. Each must be given once. A token that is being used by somebody else is waited for, and is then found used; a session that is being
 * ended is waited for as well, and is then not answered.
 */
export const rotateTokens = async (db: TxDb, asked: readonly Rotation[], when: When): Promise<readonly Rotated[]> => {
  const column = (name: keyof Rotation): (string | null)[] => asked.map((rotation) => rotation[name])
  const { rows } = await sql<Rotated>`
    with asked as (
      select *
      from unnest(
        ${column('token_hash')}::text[], ${column('child_hash')}::text[], ${column('address')}::text[], ${column('user_agent')}::text[]
      ) as a (token_hash, child_hash, address, user_agent)
    ), used as (
      update refresh_tokens as t
      set used_at = ${iso(when.now)}::timestamptz
      from asked as a, sessions as s, users as u, workspace_members as m, workspaces as w
      where t.token_hash = a.token_hash
        and t.used_at is null
        and t.expires_at > ${iso(when.now)}::timestamptz
        and s.id = t.session_id
        and s.revoked_at is null
        and s.expires_at > ${iso(when.now)}::timestamptz
        and u.id = s.user_id
        and u.is_active
        and m.user_id = s.user_id
        and m.workspace_id = s.workspace_id
        and w.id = s.workspace_id
        and w.deleted_at is null
      returning t.token_hash, t.session_id, a.child_hash, a.address, a.user_agent
    ), seen as (
      update sessions as s
      set
        last_seen_at = ${iso(when.now)}::timestamptz,
        idle_expires_at = least(
          s.expires_at, case when s.remember_me then ${iso(when.now + when.long)}::timestamptz else ${iso(when.now + when.short)}::timestamptz end
        ),
        address = used.address,
        user_agent = used.user_agent
      from used
      where s.id = used.session_id and s.revoked_at is null
      returning s.id, s.user_id, s.workspace_id, s.idle_expires_at, s.expires_at, used.token_hash, used.child_hash
    ), forgotten as (
      delete from refresh_tokens as t
      using used
      where t.session_id = used.session_id and t.expires_at < ${iso(when.now)}::timestamptz
    ), children as (
      insert into refresh_tokens (token_hash, session_id, parent_hash, created_at, expires_at)
      select child_hash, id, token_hash, ${iso(when.now)}::timestamptz, idle_expires_at
      from seen
    )
    select token_hash, id, user_id, workspace_id, idle_expires_at, expires_at
    from seen`.execute(db)
  return rows
}
