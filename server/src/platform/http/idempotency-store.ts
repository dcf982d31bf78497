import { sql } from 'kysely'
import type { TxDb } from '../database/open.ts'

export interface StoredReply {
  readonly fingerprint: string
  /** Sealed; null while the request runs. */
  readonly reply: string | null
}

export interface KeyOfRequest {
  readonly scope: string
  readonly fingerprint: string
  readonly user_id: string | null
}

/** Milliseconds that a reply is kept. */
export const kept_ms = 24 * 3_600_000

const time = (ms: number): string => new Date(ms).toISOString()

/** One request per scope at a time, for as long as its transaction lives; a process that dies lets go of it at once. */
export const tryLock = async (db: TxDb, scope: string): Promise<boolean> => {
  const { rows } = await sql<{ locked: boolean }>`
    select pg_try_advisory_xact_lock(hashtextextended(${scope}, 0)) as locked`.execute(db)
  return rows[0]?.locked === true
}

export const findReply = async (db: TxDb, scope: string, now: number): Promise<StoredReply | null> => {
  const { rows } = await sql<StoredReply>`
    select fingerprint, reply
    from idempotent_replies
    where scope = ${scope}
      and created_at > ${time(now - kept_ms)}
      and (reply is not null or claimed_until > ${time(now)})`.execute(db)
  return rows[0] ?? null
}

/** Stores the reply of a request that held the lock; one that is past its time gives way. */
export const insertReply = async (db: TxDb, key: KeyOfRequest, reply: string, now: number): Promise<void> => {
  await sql`
    insert into idempotent_replies (scope, user_id, fingerprint, reply, created_at)
    values (${key.scope}, ${key.user_id}, ${key.fingerprint}, ${reply}, ${time(now)})
    on conflict (scope) do update
    set fingerprint = excluded.fingerprint, reply = excluded.reply, claim = null, claimed_until = null, created_at = excluded.created_at
    where idempotent_replies.created_at <= ${time(now - kept_ms)}
      or (idempotent_replies.reply is null and idempotent_replies.claimed_until <= ${time(now)})`.execute(db)
}

/** Takes the key for `claim`, unless a reply is stored or another claim still holds. */
export const claimKey = async (db: TxDb, key: KeyOfRequest, claim: string, claimed_until: number, now: number): Promise<boolean> => {
  const { rows } = await sql`
    insert into idempotent_replies (scope, user_id, fingerprint, claim, claimed_until, created_at)
    values (${key.scope}, ${key.user_id}, ${key.fingerprint}, ${claim}, ${time(claimed_until)}, ${time(now)})
    on conflict (scope) do update
    set fingerprint = excluded.fingerprint, reply = null, claim = excluded.claim, claimed_until = excluded.claimed_until, created_at = excluded.created_at
    where idempotent_replies.created_at <= ${time(now - kept_ms)}
      or (idempotent_replies.reply is null and idempotent_replies.claimed_until <= ${time(now)})
    returning scope`.execute(db)
  return rows.length === 1
}

/** Stores the reply of a claim, if the key is still its own. */
export const settleClaim = async (db: TxDb, scope: string, claim: string, reply: string): Promise<void> => {
  await sql`
    update idempotent_replies
    set reply = ${reply}, claim = null, claimed_until = null
    where scope = ${scope}
      and claim = ${claim}`.execute(db)
}

/** Gives a key back whose request came to no final end. */
export const dropClaim = async (db: TxDb, scope: string, claim: string): Promise<void> => {
  await sql`
    delete from idempotent_replies
    where scope = ${scope}
      and claim = ${claim}`.execute(db)
}

/** Removes what is past its time, a thousand at most; under the system's role, because it is everybody's. */
export const removeExpired = async (db: TxDb, now: number): Promise<void> => {
  await sql`
    delete from idempotent_replies
    where scope in (
      select scope
      from idempotent_replies
      where created_at <= ${time(now - kept_ms)}
      limit 1000
      for update skip locked
    )`.execute(db)
}
