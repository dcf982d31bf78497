import type { Ctx } from '../../platform/context.ts'
import { requireRevision } from '../../platform/http/etag.ts'
import * as users from '../users/users.ts'
import { errors as userErrors } from '../users/errors.ts'
import type { UserRow } from '../users/users.ts'
import * as workspaces from '../workspaces/workspaces.ts'
import * as accounts from './accounts.ts'
import { attempts } from './sign-in/attempts.ts'
import { deviceOf } from './sessions/device.ts'
import { errors } from './errors.ts'
import { loginFailed, signingKeyRotated } from './events.ts'
import { type HashPool, hashPool } from './passwords/hash-pool.ts'
import { givenBy } from './mfa/mfa.ts'
import { isOutdated } from './passwords/password-hash.ts'
import { sendVerification } from './recovery/verification.ts'
import type { Login, Registration } from './schema.ts'
import { tokenKeys } from './services.ts'
import * as sessions from './sessions/sessions.ts'
import type { Client, Tokens } from './sessions/sessions.ts'
import { settings } from './settings.ts'
import { signIn } from './sign-in/sign-in.ts'
import type { PublicJwk } from './sessions/signing-keys.ts'
import * as store from './store.ts'

export type { Client, Tokens } from './sessions/sessions.ts'
export { refresh } from './sessions/sessions.ts'
export { setUp, setupLink } from './setup/setup.ts'

/**
 * Makes an account with its personal workspace and signs it in. Errors: 403 `auth.registration_closed`, 422 `auth.password_weak`,
 * 409 `users.email_taken`, 409 `users.username_taken`, 503 `identity.busy`. Null where an address has to be confirmed before anybody is signed in.
 */
export const register = async (ctx: Ctx, input: Registration, client: Client): Promise<Tokens | null> => {
  if (ctx.settings(settings).registration === 'closed') throw errors.registration_closed()
  await accounts.requireGoodPassword(ctx, input.password, input)
  const system = ctx.asSystem('register somebody who is not signed in yet')
  // Before the hash, which costs a thousand times as much; the unique key decides if two come at once.
  if ((await users.byEmail(system, input.email)) !== null) throw userErrors.email_taken()
  const hash = await ctx.use(hashPool).hash(input.password)
  const workspace_id = ctx.newId()
  return ctx.asSystem('make the account of somebody who registers', workspace_id).tx(async (tx) => {
    const user = await accounts.create(
      tx,
      { email: input.email, username: input.username, name: input.name, role: 'user', hash },
      workspace_id,
    )
    await sendVerification(tx, user)
    if (tx.settings(settings).require_verified_email) return null
    return sessions.open(tx, { user, workspace_id, remember_me: false, method: 'registration', client })
  })
}

/**
 * Signs in with a password. An unknown address, a wrong password and an account that is switched off take the same way: two reads, one hash,
 * one event, and the same 401 `auth.invalid_credentials`. With the right password also 401 `auth.mfa_required`, 401 `auth.mfa_invalid` and
 * 429 `auth.mfa_blocked`; at any time 429 `identity.too_many_attempts`, 429 `identity.account_guarded`, 503 `identity.busy`.
 */
export const login = async (ctx: Ctx, input: Login, client: Client): Promise<Tokens> => {
  const email = users.normaliseEmail(input.email)
  const system = ctx.asSystem('check the password of somebody who is not signed in yet')
  const look = async (verify: HashPool['verify']): Promise<{ readonly user: UserRow; readonly stored: string } | null> => {
    const user = await users.byEmail(system, email)
    const stored = await store.passwordHash(system.db, user?.id ?? accounts.nobody)
    const right = await verify(input.password, stored)
    return right && user?.is_active === true ? { user, stored: stored as string } : null
  }
  const found = await ctx.use(attempts).attempt(email, client.address, () => ctx.use(hashPool).inLine(look))
  if (found === null) {
    await system.tx(async (tx) => tx.emit(loginFailed, { email, ...client }))
    throw errors.invalid_credentials()
  }
  const { user, stored } = found
  const fresh = isOutdated(stored) ? await ctx.use(hashPool).hash(input.password) : null
  return signIn(ctx, {
    user_id: user.id,
    method: 'password',
    remember_me: input.remember_me ?? false,
    client,
    second_factor: givenBy(input.code),
    first: async (tx) => {
      // Somebody may have changed it while this one was hashed, and ended all sessions that it could open.
      if ((await store.passwordHash(tx.db, user.id)) !== stored) return errors.invalid_credentials()
      if (fresh !== null) await store.putPassword(tx.db, user.id, fresh, new Date(tx.now()).toISOString())
      return null
    },
  })
}

/** Ends the session that calls, or all of the caller's. */
export const logout = async (ctx: Ctx, all: boolean): Promise<void> => {
  const { user_id, session_id } = sessions.caller(ctx)
  await ctx.tx((tx) => sessions.end(tx, user_id, all ? 'all' : [session_id], all ? 'logout_all' : 'logout'))
}

/** Ends one of the caller's sessions. 404 `auth.session_not_found` when it has ended or is somebody else's. */
export const endSession = async (ctx: Ctx, session_id: string): Promise<void> => {
  const { user_id } = sessions.caller(ctx)
  const ended = await ctx.tx((tx) => sessions.end(tx, user_id, [session_id], 'removed'))
  if (ended.length === 0) throw errors.session_not_found()
}

export interface SessionView {
  readonly id: string
  readonly device: string
  readonly address: string | null
  readonly user_agent: string | null
  readonly is_current: boolean
  readonly impersonated: boolean
  readonly created_at: string
  readonly last_seen_at: string
  readonly expires_at: string
}

/** The caller's sessions that can still be used, the last seen first. */
export const listSessions = async (ctx: Ctx): Promise<readonly SessionView[]> => {
  const { session_id } = sessions.caller(ctx)
  return (await sessions.list(ctx)).map(({ id, address, user_agent, impersonator_id, created_at, last_seen_at, idle_expires_at }) => ({
    id,
    device: deviceOf(user_agent),
    address,
    user_agent,
    is_current: id === session_id,
    impersonated: impersonator_id !== null,
    created_at,
    last_seen_at,
    expires_at: idle_expires_at,
  }))
}

/** Whether a session of somebody goes on: for what a browser comes back to finish. In the system's scope. */
export const sessionGoesOn = async (ctx: Ctx, user_id: string, session_id: string): Promise<boolean> =>
  (await store.liveSessions(ctx.db, user_id, new Date(ctx.now()).toISOString())).some(({ id }) => id === session_id)

/** Whoever belongs to more pages through `/workspaces`. */
const maxWorkspaces = 200

/** The caller's account and workspaces. */
export const me = async (
  ctx: Ctx,
): Promise<
  UserRow & {
    readonly workspace_id: string
    readonly workspaces: workspaces.WorkspaceRow[]
    readonly impersonated_by: string | null
  }
> => {
  const [user, { items }] = await Promise.all([users.profile(ctx), workspaces.list(ctx, { limit: maxWorkspaces, order: 'asc' })])
  const impersonated_by = ctx.actor.type === 'user' ? ctx.actor.impersonator_id : null
  return { ...user, workspace_id: ctx.workspace_id as string, workspaces: items, impersonated_by }
}

/** The public halves of the keys that access tokens are signed with (RFC 7517). */
export const publicKeys = (ctx: Ctx): readonly PublicJwk[] => ctx.use(tokenKeys).current().jwks

/**
 * Switches somebody's account off or on. Off: every session of theirs ends at once, access tokens included. For admins; the route checks that.
 * Errors: 409 `auth.self_deactivation`, 409 `users.last_admin`, 404 `users.not_found`, 412 when the account is not at `revision` (null: any).
 */
export const setStatus = async (ctx: Ctx, user_id: string, is_active: boolean, revision: number | null): Promise<UserRow> => {
  const admin = sessions.caller(ctx)
  if (admin.user_id === user_id) throw errors.self_deactivation()
  return ctx.asSystem("an admin changes somebody else's account").tx(async (tx) => {
    if (!is_active) await users.keepAnAdmin(tx, user_id)
    const before = await users.lock(tx, user_id)
    if (before === null) throw userErrors.not_found()
    requireRevision(before, revision)
    const user = await users.setActive(tx, user_id, is_active, admin.user_id)
    if (!is_active) await sessions.end(tx, user_id, 'all', 'deactivated')
    return user
  })
}

/** Makes a new key the one that signs access tokens; tokens of the older ones stay good until they expire. Answers the new key's id. */
export const rotateSigningKey = async (ctx: Ctx): Promise<string> => {
  const kid = await ctx.use(tokenKeys).rotate()
  await ctx.tx(async (tx) => tx.emit(signingKeyRotated, { kid }))
  return kid
}
