import { iso } from '../../../lib/iso.ts'
import type { Ctx, TxCtx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { errors } from '../errors.ts'
import { type Method, sessionCreated, sessionRevoked } from '../events.ts'
import { impersonationEnded } from '../impersonation/events.ts'
import { childOf, decideRotation, firstRefreshToken, isRefreshToken, refreshTokenHash, sessionLife } from './refresh-tokens.ts'
import { tokenKeys } from '../services.ts'
import { settings } from '../settings.ts'
import { rotations } from './rotations.ts'
import { rememberNetwork } from '../sign-in/sign-in-networks.ts'
import * as store from '../store.ts'
import type { RevokedReason, SessionRow } from '../store.ts'

export type { SessionRow } from '../store.ts'

/** Where a request came from, for the owner of the session to recognise. */
export interface Client {
  readonly address: string | null
  readonly user_agent: string | null
}

/** What a client needs to go on. */
export interface Tokens {
  readonly user: UserRow
  readonly access_token: string
  readonly refresh_token: string
  readonly token_type: 'bearer'
  /** Seconds. */
  readonly expires_in: number
  /** Seconds until the refresh token expires. */
  readonly refresh_expires_in: number
}

/** Sessions that a user can have at a time; beyond it the one not seen for longest ends. */
const maxSessions = 100
const maxUserAgent = 500
/** Longer is no address: something that a proxy passed on without looking. */
const maxAddress = 64
/** Sessions are kept this long after their last refresh token expired, so that a late refresh is told what happened. */
const keepOldMs = 7 * 86_400_000

/** Opens a session, in the transaction that made sure of who it is; in the system's scope. */
export const open = async (
  tx: TxCtx,
  input: {
    readonly user: UserRow
    readonly workspace_id: string
    readonly remember_me: boolean
    readonly method: Method
    readonly client: Client
  },
): Promise<Tokens> => {
  const { user, workspace_id, remember_me, client } = input
  tx.onBehalfOf(user.id)
  const now = tx.now()
  const life = sessionLife(remember_me)
  const session: SessionRow = {
    id: tx.newId(),
    user_id: user.id,
    workspace_id,
    remember_me,
    ...shortened(client),
    created_at: iso(now),
    last_seen_at: iso(now),
    idle_expires_at: iso(now + life.idle_ms),
    expires_at: iso(now + life.absolute_ms),
    revoked_at: null,
    impersonator_id: null,
    impersonator_session_id: null,
  }
  await store.deleteOldSessions(tx.db, user.id, iso(now - keepOldMs))
  const surplus = await store.surplusSessions(tx.db, user.id, iso(now), maxSessions - 1)
  if (surplus.length > 0) {
    const ids = surplus.map(({ id }) => id)
    await end(tx, user.id, ids, 'too_many')
  }
  await store.insertSession(tx.db, session)
  if (input.method !== 'impersonation') await users.countSignIn(tx, user.id)
  await rememberNetwork(tx, user.id, session.address)
  const token = firstRefreshToken()
  await store.insertRefreshToken(tx.db, {
    token_hash: refreshTokenHash(token),
    session_id: session.id,
    parent_hash: null,
    created_at: session.created_at,
    expires_at: session.idle_expires_at,
  })
  tx.emit(sessionCreated, { session_id: session.id, user_id: user.id, method: input.method, ...shortened(client) })
  return tokensOf(tx, user, session, token)
}

/**
 * Gives out the next refresh token and an access token. Errors, all 401: `auth.refresh_invalid`, `auth.refresh_expired`,
 * `auth.session_revoked`, and `auth.refresh_reused`, which has ended the session.
 */
export const refresh = async (ctx: Ctx, token: string, client: Client): Promise<Tokens> => {
  if (!isRefreshToken(token)) throw errors.refresh_invalid()
  const token_hash = refreshTokenHash(token)
  const child = childOf(token, ctx.use(tokenKeys).refresh_key)
  const rotated = await ctx.use(rotations).rotate({ token_hash, child_hash: refreshTokenHash(child), ...shortened(client) })
  if (rotated !== null) return tokensOf(ctx, rotated.user, rotated.session, child)
  const found = await store.sessionOfToken(ctx.asSystem('find the session of a refresh token').db, token_hash)
  if (found === undefined) throw errors.refresh_invalid()
  // A refusal must not undo what the refusal wrote, so it is thrown outside.
  const outcome = await ctx.asSystem('rotate a refresh token', found.workspace_id).tx(async (tx) => {
    const locked = await store.lockSession(tx.db, found.session_id)
    if (locked === undefined) return errors.refresh_invalid()
    // Sent together: none of them has to wait for another.
    const [presented, user, memberships] = await Promise.all([
      store.tokenWithChild(tx.db, token_hash),
      users.byId(tx, locked.user_id),
      workspaces.membershipsOf(tx, locked.user_id),
    ])
    if (presented === undefined || user === null) return errors.refresh_invalid()
    const workspace_id = currentAmong(memberships, locked.workspace_id)
    if (workspace_id === null) return errors.session_revoked()
    const session = { ...locked, workspace_id }
    const now = tx.now()
    const decision = decideRotation(
      {
        used_at: presented.used_at === null ? null : Date.parse(presented.used_at),
        expires_at: Date.parse(presented.expires_at),
        child_used: presented.child_used_at !== null,
        session_revoked: session.revoked_at !== null,
        session_expires_at: Date.parse(session.expires_at),
        user_active: user.is_active,
      },
      now,
      ctx.settings(settings).refresh_grace_s * 1000,
    )
    if (decision === 'ended') return errors.session_revoked()
    if (decision === 'expired') return errors.refresh_expired()
    if (decision === 'reused') {
      await end(tx, session.user_id, [session.id], 'refresh_reused')
      return errors.refresh_reused()
    }
    if (decision === 'repeat') return tokensOf(tx, user, session, child)
    return tokensOf(tx, user, await rotate(tx, session, token_hash, child, client), child)
  })
  if (outcome instanceof Error) throw outcome
  return outcome
}

const rotate = async (tx: TxCtx, session: SessionRow, token_hash: string, child: string, client: Client): Promise<SessionRow> => {
  const now = tx.now()
  const expires = iso(Math.min(now + sessionLife(session.remember_me).idle_ms, Date.parse(session.expires_at)))
  const { workspace_id } = session
  const seen = { workspace_id, last_seen_at: iso(now), idle_expires_at: expires, ...shortened(client) }
  await store.deleteExpiredTokens(tx.db, session.id, iso(now))
  await store.useToken(tx.db, token_hash, iso(now))
  await store.insertRefreshToken(tx.db, {
    token_hash: refreshTokenHash(child),
    session_id: session.id,
    parent_hash: token_hash,
    created_at: iso(now),
    expires_at: expires,
  })
  await store.seeSession(tx.db, session.id, seen)
  return { ...session, ...seen }
}

/** Ends sessions of one user, and those in which they act as others from there. With its event every process forgets them, this one before the caller gets an answer. */
export const end = async (
  tx: TxCtx,
  user_id: string,
  ids: readonly string[] | 'all',
  reason: RevokedReason,
): Promise<readonly string[]> => {
  const ended = await store.revokeSessions(tx.db, user_id, ids, reason, iso(tx.now()))
  const from = ended.map(({ id }) => id)
  for (const session of ended) tellEnd(tx, session, reason)
  // Who ends a session of theirs acts as nobody from it any more.
  if (from.length > 0) {
    const reason_there = 'impersonator_left'
    for (const session of await store.revokeImpersonated(tx.db, from, reason_there, iso(tx.now()))) tellEnd(tx, session, reason_there)
  }
  return from
}

const tellEnd = (tx: TxCtx, session: Pick<SessionRow, 'id' | 'user_id' | 'impersonator_id'>, reason: RevokedReason): void => {
  const { id: session_id, user_id, impersonator_id } = session
  tx.emit(sessionRevoked, { session_id, user_id, reason })
  if (impersonator_id !== null) tx.emit(impersonationEnded, { session_id, user_id, impersonator_id })
}

/** Opens a session without a refresh token in which an admin acts as the user; in the system's scope. */
export const openFor = async (
  tx: TxCtx,
  input: {
    readonly user: UserRow
    readonly workspace_id: string
    /** Unix milliseconds. */
    readonly ends_ms: number
    readonly client: Client
    readonly impersonator: { readonly user_id: string; readonly session_id: string }
  },
): Promise<SessionRow> => {
  const { user, workspace_id, ends_ms, impersonator } = input
  const client = shortened(input.client)
  const [created_at, expires_at] = [iso(tx.now()), iso(ends_ms)]
  const session: SessionRow = {
    id: tx.newId(),
    user_id: user.id,
    workspace_id,
    remember_me: false,
    ...client,
    created_at,
    last_seen_at: created_at,
    idle_expires_at: expires_at,
    expires_at,
    revoked_at: null,
    impersonator_id: impersonator.user_id,
    impersonator_session_id: impersonator.session_id,
  }
  await store.insertSession(tx.db, session)
  tx.emit(sessionCreated, { session_id: session.id, user_id: user.id, method: 'impersonation', ...client })
  return session
}

/** Keeps a session as it is until `tx` ends; in the system's scope. Null when there is none. */
export const lock = async (tx: TxCtx, id: string): Promise<SessionRow | null> => (await store.lockSession(tx.db, id)) ?? null

/** The caller's sessions, the last seen first. There are never more than a hundred. */
export const list = (ctx: Ctx): Promise<readonly SessionRow[]> => store.liveSessions(ctx.db, caller(ctx).user_id, iso(ctx.now()))

/** Who calls, and in which session. 403 `http.forbidden` for who shows an API key or a token of another issuer. */
export const caller = (ctx: Ctx): { readonly user_id: string; readonly session_id: string } => {
  if (ctx.actor.type !== 'user') throw httpErrors.unauthenticated()
  if (ctx.actor.via.type !== 'session') throw httpErrors.forbidden({ detail: 'This takes a session of your own: sign in.' })
  return { user_id: ctx.actor.user_id, session_id: ctx.actor.via.session_id }
}

/** The workspace that a session goes on in: its own, or where its user does not belong to that any more, the personal one. */
const currentAmong = (memberships: readonly workspaces.Membership[], wanted: string): string | null => {
  if (memberships.some(({ workspace_id }) => workspace_id === wanted)) return wanted
  return homeAmong(memberships)
}

/** The personal workspace, or whichever there is. */
export const homeAmong = (memberships: readonly workspaces.Membership[]): string | null =>
  (memberships.find(({ is_personal }) => is_personal) ?? memberships[0])?.workspace_id ?? null

export type AccessToken = Pick<Tokens, 'access_token' | 'token_type' | 'expires_in'>

/** An access token of a session that is good. */
export const accessTokenOf = (ctx: Ctx, user: UserRow, session: Omit<Lasting, 'idle_expires_at'>): AccessToken => {
  const iat = Math.floor(ctx.now() / 1000)
  const exp = Math.min(iat + ctx.settings(settings).access_token_s, Math.floor(Date.parse(session.expires_at) / 1000))
  const claims = { sub: user.id, sid: session.id, wid: session.workspace_id, role: user.role, iat, exp }
  return { access_token: ctx.use(tokenKeys).current().sign(claims), token_type: 'bearer', expires_in: exp - iat }
}

type Lasting = Pick<SessionRow, 'id' | 'workspace_id' | 'idle_expires_at' | 'expires_at'>

const tokensOf = (ctx: Ctx, user: UserRow, session: Lasting, refresh_token: string): Tokens => ({
  user,
  refresh_token,
  refresh_expires_in: Math.max(0, Math.floor((Date.parse(session.idle_expires_at) - ctx.now()) / 1000)),
  ...accessTokenOf(ctx, user, session),
})

const shortened = (client: Client): Client => ({
  address: client.address?.slice(0, maxAddress) ?? null,
  user_agent: client.user_agent?.slice(0, maxUserAgent) ?? null,
})
