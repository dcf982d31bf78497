import { Type } from 'typebox'
import type { Ctx, TxCtx, WorkspaceRole } from '../../platform/context.ts'
import { httpErrors } from '../../platform/http/errors.ts'
import { keyset, type Page, type PageQuery } from '../../platform/http/paging.ts'
import { errors } from './errors.ts'
import { created, memberAdded } from './events.ts'
import * as store from './store.ts'
import type { WorkspaceRow } from './store.ts'

export type { WorkspaceRow } from './store.ts'

/** A user's standing in one workspace. */
export interface Membership {
  readonly workspace_id: string
  readonly role: WorkspaceRole
  readonly is_personal: boolean
}

/**
 * The personal workspace of a new user, who owns it; in the transaction that makes the user, in the system's scope. The slug comes from
 * the username, because it stands in webhook addresses.
 */
export const createPersonal = async (
  tx: TxCtx,
  user: { readonly id: string; readonly username: string; readonly name: string | null },
  id: string = tx.newId(),
): Promise<{ readonly id: string; readonly slug: string }> => {
  const created_at = new Date(tx.now()).toISOString()
  for (const slug of slugCandidates(user.username, id)) {
    const workspace = await store.insertWorkspace(tx.db, { id, slug, name: user.name ?? user.username, personal_of: user.id, created_at })
    if (workspace === undefined) continue
    await store.insertMember(tx.db, { workspace_id: id, user_id: user.id, role: 'owner', created_at })
    tx.emit(created, { workspace_id: id, slug, is_personal: true })
    tx.emit(memberAdded, { workspace_id: id, user_id: user.id, role: 'owner' })
    return workspace
  }
  throw new Error(`No slug is free for the workspace of ${user.username}`)
}

/** The name as a slug, and if that is taken, with the random end of the id. */
export const slugCandidates = (name: string, id: string): readonly string[] => {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 35)
    .replace(/^-+|-+$/g, '')
  const usable = slug === '' ? 'workspace' : slug
  return [usable, `${usable}-${id.slice(-4)}`, `${usable}-${id.slice(-12)}`]
}

/** By id, which is by when they were made. */
const byAge = keyset(Type.Tuple([Type.String({ format: 'uuid' })]))

/** The workspaces that the caller belongs to, a page at a time. */
export const list = async (ctx: Ctx, query: PageQuery): Promise<Page<WorkspaceRow>> => {
  const user_id = callerId(ctx)
  const after = byAge.after(query)?.[0] ?? null
  const [rows, total] = await Promise.all([
    store.workspacesOfMember(ctx.db, user_id, { after, limit: query.limit + 1, descending: query.order === 'desc' }),
    query.total === true ? store.countOfMember(ctx.db, user_id) : undefined,
  ])
  return byAge.page(rows, query.limit, ({ id }) => [id], total)
}

/** One of the caller's workspaces. 404 `workspaces.not_found` also for one of somebody else. */
export const get = async (ctx: Ctx, id: string): Promise<WorkspaceRow> => {
  const workspace = await store.workspaceOfMember(ctx.db, callerId(ctx), id)
  if (workspace === undefined) throw errors.not_found()
  return workspace
}

/** Every workspace a user belongs to; for the session, in the system's scope. */
export const membershipsOf = (ctx: Ctx, user_id: string): Promise<readonly Membership[]> => store.memberships(ctx.db, user_id)

/** The users who own a workspace; in the system's scope. */
export const ownersOf = async (ctx: Ctx, workspace_id: string): Promise<readonly string[]> =>
  (await store.owners(ctx.db, workspace_id)).map(({ user_id }) => user_id)

/** The workspace that a webhook address names, or null; in the system's scope. */
export const findBySlug = async (ctx: Ctx, slug: string): Promise<{ readonly id: string; readonly slug: string } | null> =>
  (await store.bySlug(ctx.db, slug)) ?? null

/** The slugs of workspaces by id, for webhook addresses. */
export const slugsOf = async (ctx: Ctx, ids: readonly string[]): Promise<ReadonlyMap<string, string>> =>
  ids.length === 0 ? new Map() : new Map((await store.slugs(ctx.db, ids)).map(({ id, slug }) => [id, slug]))

const callerId = (ctx: Ctx): string => {
  if (ctx.actor.type !== 'user') throw httpErrors.unauthenticated()
  return ctx.actor.user_id
}
