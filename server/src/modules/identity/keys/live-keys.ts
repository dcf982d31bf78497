import { batched } from '../../../lib/batch.ts'
import type { App, SystemRole, Via, WorkspaceRole } from '../../../platform/context.ts'
import { defineService } from '../../../platform/service.ts'
import * as users from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { type ActorCache, type CachedActor, createActorCache } from '../sessions/actor-cache.ts'
import { mustEnrol } from '../mfa/duty.ts'
import { idOf, publicPartOf } from './key-format.ts'
import { type StoredKey, storedKeys } from './store.ts'

/** A key with all that a request's permission depends on; its `id` here is its public part. */
export interface LiveKey extends CachedActor {
  readonly key_id: string
  readonly user_id: string
  readonly workspace_id: string
  readonly hash: Buffer
  readonly via: Via
  /** Unix milliseconds. */
  readonly expires_at: number
  /** What its owner is there now; null for one who is switched off or does not belong to the workspace any more. */
  readonly standing: { readonly role: SystemRole; readonly plan: string; readonly workspace_role: WorkspaceRole } | null
}

export interface LiveKeys extends ActorCache<LiveKey> {
  /** By the id that events name. */
  readonly forgetKey: (key_id: string) => void
}

const maxCached = 50_000
/** Ids that no key has are remembered too, for a program that goes on with a removed key. None of them ever becomes one. */
const maxUnknown = 10_000
const maxAtOnce = 500

/**
 * The API keys that this process has seen: two round trips on first sight, none afterwards. Whoever floods the server with well-formed keys
 * that do not exist makes it ask the database for 500 of them at a time, one statement after another.
 */
export const liveKeys = defineService<LiveKeys>({
  name: 'identity.api_keys',
  create: (app) => {
    const unknown = new Set<string>()
    const find = batched({ most: maxAtOnce, at_once: 1 }, async (ids: readonly string[]) => {
      const rows = await storedKeys(app.asSystem('look up API keys that requests show').db, ids)
      const byId = new Map(rows.map((row) => [row.id, row]))
      return ids.map((id) => byId.get(id) ?? null)
    })
    const load = async (public_part: string): Promise<LiveKey | null> => {
      const id = idOf(public_part)
      const row = id === null ? null : await find(id)
      if (row !== null) return withStanding(app, public_part, row)
      if (unknown.size >= maxUnknown) unknown.delete(unknown.values().next().value as string)
      unknown.add(public_part)
      return null
    }
    const cache = createActorCache({ now: app.now, max: maxCached, load })
    return {
      ...cache,
      get: (public_part, user_id) => (unknown.has(public_part) ? null : cache.get(public_part, user_id)),
      forgetKey: (key_id) => {
        unknown.delete(publicPartOf(key_id))
        cache.forget(publicPartOf(key_id))
      },
      clear: () => {
        unknown.clear()
        cache.clear()
      },
    }
  },
})

const withStanding = async (app: App, public_part: string, row: StoredKey): Promise<LiveKey> => {
  const ctx = app.asSystem('look up the owner of an API key')
  const [user, memberships] = await Promise.all([users.byId(ctx, row.user_id), workspaces.membershipsOf(ctx, row.user_id)])
  const workspace_role = memberships.find(({ workspace_id }) => workspace_id === row.workspace_id)?.role
  const good = user?.is_active === true && workspace_role !== undefined
  const must_enrol = good && (await mustEnrol(ctx, user))
  return {
    id: public_part,
    key_id: row.id,
    user_id: row.user_id,
    user_ids: [row.user_id],
    workspace_id: row.workspace_id,
    hash: Buffer.from(row.key_hash, 'base64url'),
    via: { type: 'api_key', key_id: row.id, permissions: new Set(row.permissions), requests_per_hour: row.requests_per_hour, must_enrol },
    expires_at: row.expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(row.expires_at),
    standing: good ? { role: user.role, plan: user.plan, workspace_role } : null,
  }
}
