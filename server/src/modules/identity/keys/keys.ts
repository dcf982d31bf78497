import { Type } from 'typebox'
import { iso } from '../../../lib/iso.ts'
import type { Actor, Ctx, TxCtx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import { keyset, type Page, type PageQuery } from '../../../platform/http/paging.ts'
import { refusalOf } from '../../../platform/permissions.ts'
import * as mail from '../../mail/mail.ts'
import * as plans from '../../plans/plans.ts'
import * as users from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { caller } from '../sessions/sessions.ts'
import { errors } from './errors.ts'
import { apiKeyChanged, apiKeyCreated, apiKeyRemoved, type RemovedReason } from './events.ts'
import { newKey, shownPrefix } from './key-format.ts'
import * as mails from './mails.ts'
import type { ApiKeyChange, NewApiKey } from './schema.ts'
import * as store from './store.ts'
import type { KeyRow } from './store.ts'

/** Of one user. More than anybody has programs, and few enough to look through. */
const maxKeys = 50

export type ApiKeyView = Omit<KeyRow, 'user_id'> & { readonly prefix: string }

const viewOf = ({ user_id: _, ...key }: KeyRow): ApiKeyView => ({ ...key, prefix: shownPrefix(key.id) })

/**
 * Makes a key for the caller in the current workspace. The only time that its text is seen. Errors: 422 `auth.api_key_permission_refused`,
 * 422 `auth.api_key_expiry_past`, 409 `auth.api_key_limit`, 402 `plans.limit_reached`.
 */
export const create = async (ctx: Ctx, input: NewApiKey): Promise<ApiKeyView & { readonly key: string }> => {
  const { user_id } = caller(ctx)
  const { name, permissions, expires_at = null, requests_per_hour = null } = input
  requireOwnPermissions(ctx, permissions, ctx.actor)
  requireFuture(ctx, expires_at)
  const id = ctx.newId()
  const { text, hash } = newKey(id)
  const workspace_id = ctx.workspace_id as string
  return ctx.asSystem('give a user an API key', workspace_id).tx(async (tx) => {
    // Two at a time could both find room for one more.
    if ((await users.lock(tx, user_id))?.is_active !== true) throw httpErrors.unauthenticated()
    if ((await store.countOfUser(tx.db, user_id)) >= maxKeys) throw errors.api_key_limit()
    await plans.check(tx, { feature: 'api_keys', amount: 1, user_id, used: () => store.countOfUser(tx.db, user_id) })
    const fields = { name, permissions, expires_at, requests_per_hour }
    const row = await store.insertKey(tx.db, { id, user_id, workspace_id, ...fields, key_hash: hash, created_at: iso(tx.now()) })
    tx.emit(apiKeyCreated, { key_id: id, user_id, name, permissions }, { after: fields })
    await tell(tx, row, 'api_key_created', (about) => mails.keyCreated(about, permissions))
    return { ...viewOf(row), key: text }
  })
}

/** How many keys the caller has. */
export const countOwn = (ctx: Ctx): Promise<number> => store.countOfUser(ctx.db, caller(ctx).user_id)

/** By id, which is by when they were made. */
const byAge = keyset(Type.Tuple([Type.String({ format: 'uuid' })]))

const pageOf = (query: PageQuery): store.KeyPage => ({
  after: byAge.after(query)?.[0] ?? null,
  limit: query.limit + 1,
  descending: query.order === 'desc',
})

/** The caller's keys, of all workspaces or of one. */
export const list = async (ctx: Ctx, query: PageQuery & { readonly workspace_id?: string }): Promise<Page<ApiKeyView>> => {
  const filter = { user_id: caller(ctx).user_id, workspace_id: query.workspace_id }
  const [rows, total] = await Promise.all([
    store.listKeys(ctx.db, filter, pageOf(query)),
    query.total === true ? store.countKeys(ctx.db, filter) : undefined,
  ])
  return byAge.page(rows.map(viewOf), query.limit, ({ id }) => [id], total)
}

/** One of the caller's keys. 404 `auth.api_key_not_found` also for somebody else's. */
export const get = async (ctx: Ctx, id: string): Promise<ApiKeyView> => viewOf(await own(ctx, id))

const own = async (ctx: Ctx, id: string): Promise<KeyRow> => {
  const row = await store.keyById(ctx.db, id)
  if (row === undefined || row.user_id !== caller(ctx).user_id) throw errors.api_key_not_found()
  return row
}

/**
 * Changes the given fields of one of the caller's keys. Permissions may grow as far as the caller's own in the key's workspace. `revision` is
 * what `If-Match` named, or null. Errors: as of `create`, 404 `auth.api_key_not_found`, 412 `http.precondition_failed`.
 */
export const change = async (ctx: Ctx, id: string, input: ApiKeyChange, revision: number | null): Promise<ApiKeyView> => {
  const { user_id, workspace_id } = await own(ctx, id)
  if (input.permissions !== undefined) requireOwnPermissions(ctx, input.permissions, await actorIn(ctx, user_id, workspace_id))
  if (input.expires_at !== undefined) requireFuture(ctx, input.expires_at)
  return ctx.asSystem('change an API key for its owner', workspace_id).tx(async (tx) => {
    const before = await store.lockKey(tx.db, id)
    if (before === undefined) throw errors.api_key_not_found()
    requireRevision(before, revision)
    const after = await store.updateKey(tx.db, id, input, iso(tx.now()))
    const fields = Object.keys(input) as (keyof ApiKeyChange)[]
    const only = (row: KeyRow): object => Object.fromEntries(fields.map((field) => [field, row[field]]))
    tx.emit(apiKeyChanged, { key_id: id, user_id, name: after.name, fields }, { before: only(before), after: only(after) })
    const added = after.permissions.filter((permission) => !before.permissions.includes(permission))
    if (added.length > 0) await tell(tx, after, 'api_key_widened', (about) => mails.keyWidened(about, added))
    return viewOf(after)
  })
}

/** Removes one of the caller's keys; it is refused from now on. 404 `auth.api_key_not_found`. */
export const remove = async (ctx: Ctx, id: string): Promise<void> => {
  const { user_id, workspace_id } = await own(ctx, id)
  const removed = await ctx.asSystem('remove an API key for its owner', workspace_id).tx((tx) => removeKeys(tx, { id, user_id }, 'owner'))
  if (removed.length === 0) throw errors.api_key_not_found()
}

/** Every key of the installation, with its owner; for admins, the route checks that. */
export const listAll = async (
  ctx: Ctx,
  query: PageQuery & store.KeyFilter,
): Promise<Page<ApiKeyView & { readonly user: { readonly id: string; readonly email: string; readonly username: string } }>> => {
  const { db } = ctx.asSystem('an admin looks through the API keys of the installation')
  const [rows, total] = await Promise.all([
    store.listOwnedKeys(db, query, pageOf(query)),
    query.total === true ? store.countKeys(db, query) : undefined,
  ])
  const items = rows.map(({ email, username, ...row }) => ({ ...viewOf(row), user: { id: row.user_id, email, username } }))
  return byAge.page(items, query.limit, ({ id }) => [id], total)
}

/** Removes anybody's key and tells its owner; for admins, the route checks that. 404 `auth.api_key_not_found`. */
export const removeForAdmin = async (ctx: Ctx, id: string): Promise<void> => {
  const system = ctx.asSystem("an admin removes somebody's API key")
  const row = await store.keyById(system.db, id)
  if (row === undefined) throw errors.api_key_not_found()
  await ctx.asSystem("an admin removes somebody's API key", row.workspace_id).tx(async (tx) => {
    if ((await removeKeys(tx, { id }, 'admin')).length === 0) throw errors.api_key_not_found()
    await tell(tx, row, 'api_key_removed', mails.keyRemovedByAdmin)
  })
}

/**
 * Removes the keys that the filter names, in the transaction of what makes them end; in the system's scope. With their events every process
 * forgets them.
 */
export const removeKeys = async (
  tx: TxCtx,
  filter: { readonly user_id: string; readonly id?: string; readonly workspace_id?: string } | { readonly id: string },
  reason: RemovedReason,
): Promise<readonly KeyRow[]> => {
  const removed = await store.deleteKeys(tx.db, filter)
  for (const { id, user_id, name, permissions, expires_at, requests_per_hour } of removed) {
    const before = { name, permissions, expires_at, requests_per_hour }
    tx.emit(apiKeyRemoved, { key_id: id, user_id, name, reason }, { before })
  }
  return removed
}

const requireOwnPermissions = (ctx: Ctx, permissions: readonly string[], actor: Actor): void => {
  const wrong = permissions.flatMap((name, index) => {
    const message = refusalFor(ctx, name, actor)
    return message === null ? [] : [{ path: `permissions.${index}`, message }]
  })
  if (wrong.length === 0) return
  const named = wrong.map(({ path }) => permissions[Number(path.slice('permissions.'.length))]).join(', ')
  throw errors.api_key_permission_refused({ detail: `Not for a key of yours in this workspace: ${named}.`, errors: wrong })
}

const refusalFor = (ctx: Ctx, name: string, actor: Actor): string | null => {
  const permission = ctx.permissions.get(name)
  if (permission === undefined) return 'is no permission'
  if (permission.session_only) return 'takes a session and is never given to a key'
  return refusalOf(permission, actor) === null ? null : 'is a permission that you do not have'
}

/** The caller as they are in another of their workspaces. */
const actorIn = async (ctx: Ctx, user_id: string, workspace_id: string): Promise<Actor> => {
  if (ctx.actor.type !== 'user' || workspace_id === ctx.workspace_id) return ctx.actor
  const memberships = await workspaces.membershipsOf(ctx.asSystem('look up what the caller may do where a key of theirs works'), user_id)
  const role = memberships.find((membership) => membership.workspace_id === workspace_id)?.role
  if (role === undefined) throw errors.api_key_not_found()
  return { ...ctx.actor, workspace_role: role }
}

const requireFuture = (ctx: Ctx, expires_at: string | null): void => {
  if (expires_at === null || Date.parse(expires_at) > ctx.now()) return
  throw errors.api_key_expiry_past({ errors: [{ path: 'expires_at', message: 'must be in the future' }] })
}

const tell = async (tx: TxCtx, key: KeyRow, kind: string, letter: (about: mails.About) => mail.Written): Promise<void> => {
  const owner = await users.byId(tx, key.user_id)
  if (owner === null) return
  const written = letter({ installation: tx.use(httpService).url(), email: owner.email, name: key.name })
  await mail.send(tx, { ...written, to: owner.email, kind: `identity.${kind}`, user_id: owner.id, workspace_id: tx.workspace_id })
}
