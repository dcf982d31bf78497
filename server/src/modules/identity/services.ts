import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import type { App, Ctx, SystemRole, Via, WorkspaceRole } from '../../platform/context.ts'
import { secrets } from '../../platform/secrets.ts'
import { defineService } from '../../platform/service.ts'
import * as users from '../users/users.ts'
import * as workspaces from '../workspaces/workspaces.ts'
import { createAccessTokens, type AccessTokens } from './sessions/access-tokens.ts'
import { createActorCache, type ActorCache, type CachedActor } from './sessions/actor-cache.ts'
import { loadCommonPasswords, type CommonPasswords } from './passwords/common-passwords.ts'
import { mustEnrol } from './mfa/duty.ts'
import { makeSigningKey, rotated, type SigningKey } from './sessions/signing-keys.ts'
import { sessionById, type SessionRow } from './store.ts'

/** A session with all that a request's permission depends on. */
export interface LiveSession extends CachedActor {
  readonly user_id: string
  readonly role: SystemRole
  readonly plan: string
  readonly via: Via
  readonly impersonator_id: string | null
  /** Unix milliseconds. */
  readonly expires_at: number
  readonly memberships: ReadonlyMap<string, WorkspaceRole>
}

const maxCached = 50_000

/** The sessions that this process has seen. One round trip on first sight, none afterwards. */
export const sessionCache = defineService<ActorCache<LiveSession>>({
  name: 'identity.sessions',
  create: (app) => createActorCache({ now: app.now, max: maxCached, load: (id, user_id) => readSession(app, id, user_id as string) }),
})

const readSession = async (app: App, session_id: string, user_id: string): Promise<LiveSession | null> => {
  const ctx = app.asSystem('look up the session of an access token')
  // Sent together: the token names the user, so nothing has to wait for the session.
  const [session, user, memberships] = await Promise.all([
    sessionById(ctx.db, session_id),
    users.byId(ctx, user_id),
    workspaces.membershipsOf(ctx, user_id),
  ])
  if (session === undefined || session.revoked_at !== null || session.user_id !== user_id) return null
  if (user === null || !user.is_active) return null
  // Somebody who is made an admin while another admin acts as them.
  if (session.impersonator_id !== null && user.role === 'admin') return null
  const ends = session.impersonator_id === null ? Number.POSITIVE_INFINITY : await impersonatorEnds(ctx, session)
  if (ends === null) return null
  // An admin who acts as somebody has shown a second factor of their own.
  const must_enrol = session.impersonator_id === null && (await mustEnrol(ctx, user))
  return {
    id: session_id,
    user_id,
    user_ids: session.impersonator_id === null ? [user_id] : [user_id, session.impersonator_id],
    role: user.role,
    plan: user.plan,
    via: { type: 'session', session_id, must_enrol },
    impersonator_id: session.impersonator_id,
    expires_at: Math.min(Date.parse(session.expires_at), ends),
    memberships: new Map(memberships.map(({ workspace_id, role }) => [workspace_id, role])),
  }
}

/** When the session ends from which somebody acts as a user; null when it has, or when they may not any more. Unix milliseconds. */
const impersonatorEnds = async (ctx: Ctx, session: SessionRow): Promise<number | null> => {
  const [own, impersonator] = await Promise.all([
    sessionById(ctx.db, session.impersonator_session_id as string),
    users.byId(ctx, session.impersonator_id as string),
  ])
  if (own === undefined || own.revoked_at !== null || impersonator?.is_active !== true) return null
  return ctx.permissions.get('users:impersonate')?.system_roles.has(impersonator.role) === true ? Date.parse(own.expires_at) : null
}

export interface TokenKeys {
  readonly current: () => AccessTokens
  /** Reads the keys again. */
  readonly reload: () => Promise<AccessTokens>
  /** The same for a token of a key that this process does not have, but at most every few seconds: anybody can make up such a token. */
  readonly lookAgain: () => Promise<AccessTokens>
  /** Makes a new key the one that signs. Answers its id. */
  readonly rotate: () => Promise<string>
  /** Derives the children of refresh tokens. */
  readonly refresh_key: KeyObject
}

const secretName = 'identity.signing_keys'
/** No access token lives longer than a day (`MILLRACE_ACCESS_TOKEN_SECONDS`), and an hour's grace for clocks that differ. */
const retireAfterMs = 90_000_000
const lookEveryMs = 5_000

export const tokenKeys = defineService<TokenKeys>({
  name: 'identity.token_keys',
  create: async (app) => {
    const store = app.use(secrets)
    const read = async (): Promise<{ readonly text: string; readonly keys: readonly SigningKey[] }> => {
      const text = await store.getOrCreate(secretName, () => JSON.stringify([makeSigningKey(app.newId(), app.now())]))
      return { text, keys: JSON.parse(text) as SigningKey[] }
    }
    const refresh_key = createSecretKey(await store.getOrCreate('identity.refresh_key', newRefreshKey), 'base64')
    let tokens = createAccessTokens((await read()).keys)
    let looking: Promise<AccessTokens> | null = null
    let looked_at = Number.NEGATIVE_INFINITY

    const reload = async (): Promise<AccessTokens> => (tokens = createAccessTokens((await read()).keys))
    const look = (): Promise<AccessTokens> => {
      looked_at = performance.now()
      return reload().finally(() => (looking = null))
    }
    return {
      current: () => tokens,
      reload,
      lookAgain: () => {
        if (looking === null && performance.now() - looked_at < lookEveryMs) return Promise.resolve(tokens)
        return (looking ??= look())
      },
      rotate: async () => {
        const fresh = makeSigningKey(app.newId(), app.now())
        for (;;) {
          const { text, keys } = await read()
          if (await store.replace(secretName, text, JSON.stringify(rotated(keys, fresh, retireAfterMs)))) break
        }
        await reload()
        return fresh.kid
      },
      refresh_key,
    }
  },
})

const newRefreshKey = (): string => randomBytes(32).toString('base64')

/** The list of common passwords, read when somebody first chooses a password. */
export const commonPasswords = defineService<{ readonly get: () => Promise<CommonPasswords> }>({
  name: 'identity.common_passwords',
  create: () => {
    let list: Promise<CommonPasswords> | null = null
    return { get: () => (list ??= loadCommonPasswords()) }
  },
})
