import { Type } from 'typebox'
import { callerId } from '../../../platform/caller.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { keyset, type Page } from '../../../platform/http/paging.ts'
import type { Ctx, TxCtx } from '../../../platform/context.ts'
import { errors } from '../errors.ts'
import { planChanged, roleChanged } from '../events.ts'
import type { ProfileChange, User } from '../schema.ts'
import * as users from '../users.ts'
import type { UserRow } from '../users.ts'
import type { RoleChange, UserFilter } from './schema.ts'
import * as store from './store.ts'

/** By id, which is by when they were made. */
const byAge = keyset(Type.Tuple([Type.String({ format: 'uuid' })]))

/** Every account that the filter lets through. For admins; the route checks that. */
export const list = async (ctx: Ctx, { limit, order, cursor, total, ...filter }: UserFilter): Promise<Page<UserRow>> => {
  const { db } = ctx.asSystem('an admin looks through the accounts')
  const after = byAge.after(cursor === undefined ? {} : { cursor })?.[0] ?? null
  const [rows, counted] = await Promise.all([
    store.usersMatching(db, filter, { after, limit: limit + 1, descending: order === 'desc' }),
    total === true ? store.countMatching(db, filter) : undefined,
  ])
  return byAge.page(rows, limit, ({ id }) => [id], counted)
}

/** One account: the caller's own, or any for who may read all. 404 `users.not_found` for everybody else, whether it exists or not. */
export const get = async (ctx: Ctx, id: string): Promise<UserRow> => found(await users.byId(within(ctx, id, 'users:read'), id))

/** The same by address. */
export const getByEmail = async (ctx: Ctx, email: string): Promise<UserRow> => {
  const all = ctx.may('users:read') ? ctx.asSystem('an admin looks an account up by its address') : ctx
  return found(await users.byEmail(all, email))
}

/** Changes the profile of an account: the caller's own, or any for who may manage all. Errors as `users.updateProfile`, and 404 `users.not_found`. */
export const update = (ctx: Ctx, id: string, change: ProfileChange, revision: number | null): Promise<UserRow> =>
  users.updateProfileOf(within(ctx, id, 'users:manage'), id, change, revision)

/** The context in which an account may be reached: one's own in one's own scope. Row-level security answers for the rest. */
const within = (ctx: Ctx, id: string, permission: string): Ctx =>
  callerId(ctx) !== id && ctx.may(permission) ? ctx.asSystem("an admin looks into somebody's account") : ctx

/**
 * Makes somebody an admin or an ordinary user, or puts them on the plan `premium`. Counts at their next request, on every process. For admins.
 * Errors: 403 `http.forbidden` without `users:appoint`, 404 `users.not_found`, 409 `users.own_role`, 409 `users.last_admin`, 412 when the account is
 * not at `revision` (null: any).
 */
export const setRole = (ctx: Ctx, id: string, { role }: RoleChange, revision: number | null): Promise<UserRow> =>
  role === 'premium' ? setPlan(ctx, id, 'premium', revision) : changeRole(ctx, id, role, revision)

const changeRole = (ctx: Ctx, id: string, role: User['role'], revision: number | null): Promise<UserRow> => {
  users.requireAppointing(ctx)
  if (callerId(ctx) === id) throw errors.own_role()
  return ctx.asSystem("an admin changes somebody's role").tx(async (tx) => {
    if (role === 'user') await users.keepAnAdmin(tx, id)
    const before = await lockedUser(tx, id, revision)
    if (before.role === role) return before
    const user = await store.updateStanding(tx.db, id, { role }, new Date(tx.now()).toISOString())
    tx.emit(roleChanged, { user_id: id, role }, { before: { role: before.role }, after: { role } })
    return user
  })
}

/** Puts an account on a plan. Errors: 404 `users.not_found`, 412 when the account is not at `revision` (null: any). */
export const setPlan = (ctx: Ctx, id: string, plan: User['plan'], revision: number | null): Promise<UserRow> =>
  ctx.asSystem("an admin changes somebody's plan").tx(async (tx) => {
    const before = await lockedUser(tx, id, revision)
    if (before.plan === plan) return before
    const user = await store.updateStanding(tx.db, id, { plan }, new Date(tx.now()).toISOString())
    tx.emit(planChanged, { user_id: id, plan }, { before: { plan: before.plan }, after: { plan } })
    return user
  })

const lockedUser = async (tx: TxCtx, id: string, revision: number | null): Promise<UserRow> => {
  await users.lock(tx, id)
  const user = found(await users.byId(tx, id))
  requireRevision(user, revision)
  return user
}

const found = (user: UserRow | null): UserRow => {
  if (user === null) throw errors.not_found()
  return user
}
