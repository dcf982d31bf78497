import { Type } from 'typebox'
import { callerId } from '../../platform/caller.ts'
import type { Ctx, TxCtx, WorkspaceRole } from '../../platform/context.ts'
import { requireRevision } from '../../platform/http/etag.ts'
import { keyset, type Page, type PageQuery } from '../../platform/http/paging.ts'
import { change, requireRoomToOwn } from './change.ts'
import { errors } from './errors.ts'
import { created, memberAdded, updated } from './events.ts'
import * as memberStore from './members/store.ts'
import type { NewWorkspace, WorkspaceChange } from './schema.ts'
import { slugCandidates } from './slugs.ts'
import * as store from './store.ts'
import type { WorkspaceRow } from './store.ts'

export type { WorkspaceRow } from './store.ts'
export { joinByToken, preview as invitationOf } from './invitations/answers.ts'
export { withdraw } from './deletion/heirs.ts'

/** A user's standing in one workspace. */
export interface Membership {
  readonly workspace_id: string
  readonly role: WorkspaceRole
  readonly is_personal: boolean
}

interface Making {
  readonly id: string
  readonly name: string
  readonly slugs: readonly string[]
  readonly user_id: string
  readonly is_personal: boolean
}

/** Makes a workspace with its first owner, under the first of the slugs that is free. Null when none is. */
const make = async (tx: TxCtx, { id, name, slugs, user_id, is_personal }: Making): Promise<{ id: string; slug: string } | null> => {
  const created_at = new Date(tx.now()).toISOString()
  for (const slug of slugs) {
    if (!(await store.claimSlug(tx.db, { slug, workspace_id: id, created_at }))) continue
    await store.insertWorkspace(tx.db, { id, slug, name, personal_of: is_personal ? user_id : null, created_at })
    await memberStore.insertMember(tx.db, { workspace_id: id, user_id, role: 'owner', created_at })
    tx.emit(created, { workspace_id: id, slug, is_personal }, { after: { name, slug } })
    tx.emit(memberAdded, { workspace_id: id, user_id, role: 'owner' }, { after: { role: 'owner' } })
    return { id, slug }
  }
  return null
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
  const slugs = slugCandidates(user.username, id)
  const workspace = await make(tx, { id, name: user.name ?? user.username, slugs, user_id: user.id, is_personal: true })
  if (workspace === null) throw new Error(`No slug is free for the workspace of ${user.username}`)
  return workspace
}

/**
 * A workspace of the caller, who owns it. Without a wish the slug is made from the name. Errors: 409 `workspaces.slug_taken`, 402
 * `plans.limit_reached`.
 */
export const create = async (ctx: Ctx, input: NewWorkspace): Promise<WorkspaceRow> => {
  const user_id = callerId(ctx)
  const id = ctx.newId()
  return ctx.asSystem('a request writes no workspace: the product makes the one it asks for', id).tx(async (tx) => {
    await requireRoomToOwn(tx, user_id)
    const slugs = input.slug === undefined ? slugCandidates(input.name, id) : [input.slug]
    const workspace = await make(tx, { id, name: input.name, slugs, user_id, is_personal: false })
    if (workspace === null) throw errors.slug_taken()
    return one(tx, user_id, id)
  })
}

/** Each old slug goes on working for good, so there is an end to how many a workspace takes. */
const most_slugs = 10

/**
 * Changes name or slug of the current workspace. Webhook addresses with the old slug go on working. Errors: 409 `workspaces.slug_taken`, 409
 * `workspaces.too_many_slugs`, 412 `http.precondition_failed`.
 */
export const update = (ctx: Ctx, input: WorkspaceChange, if_match: number | null): Promise<WorkspaceRow> =>
  change(ctx, { permission: 'workspace:manage', reason: 'change the name of a workspace' }, async (tx, { workspace, user_id }) => {
    requireRevision(workspace, if_match)
    const { id } = workspace
    const at = new Date(tx.now()).toISOString()
    const fields = (['name', 'slug'] as const).filter((field) => input[field] !== undefined && input[field] !== workspace[field])
    if (fields.length === 0) return one(tx, user_id, id)
    const { slug = workspace.slug } = input
    if (!(await store.claimSlug(tx.db, { slug, workspace_id: id, created_at: at }))) throw errors.slug_taken()
    if ((await store.countSlugs(tx.db, id)) > most_slugs) throw errors.too_many_slugs()
    const after = Object.fromEntries(fields.map((field) => [field, input[field]]))
    const before = Object.fromEntries(fields.map((field) => [field, workspace[field]]))
    await store.updateWorkspace(tx.db, id, after, at)
    tx.emit(updated, { workspace_id: id, slug, fields }, { before, after })
    return one(tx, user_id, id)
  })

/** By id, which is by when they were made. */
const byAge = keyset(Type.Tuple([Type.String({ format: 'uuid' })]))

/** The workspaces that the caller belongs to, a page at a time; with `deleted` those that they own and can restore. */
export const list = async (ctx: Ctx, query: PageQuery & { readonly deleted?: boolean }): Promise<Page<WorkspaceRow>> => {
  const user_id = callerId(ctx)
  const after = byAge.after(query)?.[0] ?? null
  const deleted = query.deleted === true
  const [rows, total] = await Promise.all([
    store.workspacesOfMember(ctx.db, user_id, { deleted, after, limit: query.limit + 1, descending: query.order === 'desc' }),
    query.total === true ? store.countOfMember(ctx.db, user_id, deleted) : undefined,
  ])
  return byAge.page(rows, query.limit, ({ id }) => [id], total)
}

/** One of the caller's workspaces. 404 `workspaces.not_found` also for one of somebody else, and for one that was deleted. */
export const get = async (ctx: Ctx, id: string): Promise<WorkspaceRow> => {
  const workspace = await store.workspaceOfMember(ctx.db, callerId(ctx), id)
  if (workspace === undefined || workspace.deleted_at !== null) throw errors.not_found()
  return workspace
}

const one = async (tx: TxCtx, user_id: string, id: string): Promise<WorkspaceRow> => {
  const workspace = await store.workspaceOfMember(tx.db, user_id, id)
  if (workspace === undefined) throw errors.not_found()
  return workspace
}

/** Every workspace in use that a user belongs to; for the session, in the system's scope. */
export const membershipsOf = (ctx: Ctx, user_id: string): Promise<readonly Membership[]> => store.memberships(ctx.db, user_id)

/** Who belongs to a workspace, also to one that was deleted; in the system's scope. */
export const memberIdsOf = (ctx: Ctx, workspace_id: string): Promise<readonly string[]> => memberStore.memberIds(ctx.db, workspace_id)

/** Who owns a workspace; in the system's scope. */
export const ownersOf = async (ctx: Ctx, workspace_id: string): Promise<readonly string[]> =>
  (await memberStore.owners(ctx.db, workspace_id)).map(({ user_id }) => user_id)

/** How many workspaces the caller owns. */
export const countOwned = (ctx: Ctx): Promise<number> => store.countOwned(ctx.db, callerId(ctx))

/** The slugs of workspaces by id, for webhook addresses. */
export const slugsOf = async (ctx: Ctx, ids: readonly string[]): Promise<ReadonlyMap<string, string>> =>
  ids.length === 0 ? new Map() : new Map((await store.slugs(ctx.db, ids)).map(({ id, slug }) => [id, slug]))

/** Every slug by which workspaces are reached: the current one, and those that they had before. None of a workspace that was deleted. */
export const namesOf = async (ctx: Ctx, ids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> => {
  if (ids.length === 0) return new Map()
  const rows = Map.groupBy(await store.names(ctx.db, ids), ({ id }) => id)
  return new Map([...rows].map(([id, group]) => [id, group.map(({ slug }) => slug)]))
}

/** The team workspaces that have other members and no owner but this one: what would be nobody's if they left. In the system's scope. */
export const onlyOwnedBy = (tx: TxCtx, user_id: string): Promise<readonly { readonly id: string; readonly name: string }[]> =>
  store.onlyOwnedBy(tx.db, user_id)
