import { callerId } from '../../platform/caller.ts'
import type { Ctx, SystemRole, TxCtx } from '../../platform/context.ts'
import { httpErrors } from '../../platform/http/errors.ts'
import { requireRevision } from '../../platform/http/etag.ts'
import { errors } from './errors.ts'
import { profileUpdated, registered, statusChanged } from './events.ts'
import { erasureRequested } from './personal-data/events.ts'
import type { ProfileChange } from './schema.ts'
import { settings } from './settings.ts'
import * as store from './store.ts'
import type { UserRow } from './store.ts'

export type { UserRow } from './store.ts'

/** One address, one account: the form in which an address is stored and looked up. */
export const normaliseEmail = (email: string): string => email.toLowerCase()

export interface NewUser {
  readonly email: string
  /** Made from the address when it is not given. */
  readonly username?: string | undefined
  readonly name?: string | undefined
  readonly role?: SystemRole
  /** The setting's, when it is not given. */
  readonly plan?: UserRow['plan'] | undefined
  /** Whoever makes the account vouches for the address. */
  readonly email_verified?: boolean
}

/**
 * Makes an account, in the transaction of whoever also makes what belongs to it. Needs the system's scope, because nobody is signed
 * in yet. Errors: 409 `users.email_taken`, 409 `users.username_taken`.
 */
export const create = async (tx: TxCtx, input: NewUser): Promise<UserRow> => {
  const email = normaliseEmail(input.email)
  const base = {
    id: tx.newId(),
    email,
    name: input.name ?? null,
    role: input.role ?? 'user',
    email_verified: input.email_verified ?? false,
    plan: input.plan ?? tx.settings(settings).default_plan,
    created_at: new Date(tx.now()).toISOString(),
  } as const
  for (const username of usernameCandidates(input.username, email, base.id)) {
    const user = await store.insertUser(tx.db, { ...base, username })
    if (user !== undefined) {
      tx.emit(registered, { user_id: user.id, email: user.email, username: user.username, role: user.role, plan: user.plan })
      return user
    }
    if ((await store.userByEmail(tx.db, email)) !== undefined) throw errors.email_taken()
  }
  throw errors.username_taken()
}

/** A wish is taken as it is or refused; without one, the part before the @, and if that is taken, with the random end of the id. */
export const usernameCandidates = (wish: string | undefined, email: string, id: string): readonly string[] => {
  if (wish !== undefined) return [wish.toLowerCase()]
  const local = (email.split('@')[0] ?? '').split('+')[0] ?? ''
  const name = local
    .replace(/[^a-z0-9._-]+/g, '-')
    .slice(0, 26)
    .replace(/^[._-]+|[._-]+$/g, '')
  const usable = name.length >= 2 ? name : `user-${name}`.replace(/-$/, '')
  return [usable, `${usable}-${id.slice(-4)}`, `${usable}-${id.slice(-12)}`]
}

export const byId = async (ctx: Ctx, id: string): Promise<UserRow | null> => (await store.userById(ctx.db, id)) ?? null

/** Those of the accounts that there are, in no order. */
export const byIds = (ctx: Ctx, ids: readonly string[]): Promise<readonly UserRow[]> => store.usersById(ctx.db, ids)

export const byEmail = async (ctx: Ctx, email: string): Promise<UserRow | null> =>
  (await store.userByEmail(ctx.db, normaliseEmail(email))) ?? null

/** The plans of some users, by their ids; in the system's scope. */
export const plansOf = async (ctx: Ctx, ids: readonly string[]): Promise<ReadonlyMap<string, string>> =>
  ids.length === 0 ? new Map() : new Map((await store.plansById(ctx.db, ids)).map(({ id, plan }) => [id, plan]))

/** The addresses of some users, by their ids: those that have an account still. In the system's scope. */
export const emailsOf = async (ctx: Ctx, ids: readonly string[]): Promise<ReadonlyMap<string, string>> =>
  ids.length === 0 ? new Map() : new Map((await store.emailsById(ctx.db, ids)).map(({ id, email }) => [id, email]))

export const hasAdmin = async (ctx: Ctx): Promise<boolean> => (await store.anAdmin(ctx.db)) !== undefined

/** Holds the account's standing as it is until `tx` ends. Null when there is no such account. */
export const lock = async (tx: TxCtx, id: string): Promise<{ readonly is_active: boolean; readonly revision: number } | null> =>
  (await store.lockUser(tx.db, id)) ?? null

/** The caller's own account. */
export const profile = async (ctx: Ctx): Promise<UserRow> => {
  const user = await byId(ctx, callerId(ctx))
  if (user === null) throw errors.not_found()
  return user
}

const maxSettingsBytes = 65_536

/**
 * Changes the given fields of the caller's own account. `revision` is what `If-Match` named, or null.
 * Errors: 412 `http.precondition_failed`, 409 `users.username_taken`, 422 `users.settings_too_large`.
 */
export const updateProfile = (ctx: Ctx, change: ProfileChange, revision: number | null): Promise<UserRow> =>
  updateProfileOf(ctx, callerId(ctx), change, revision)

/** The same for any account within the reach of `ctx`; 404 `users.not_found` for others. */
export const updateProfileOf = async (ctx: Ctx, id: string, change: ProfileChange, revision: number | null): Promise<UserRow> => {
  if (change.settings !== undefined && Buffer.byteLength(JSON.stringify(change.settings)) > maxSettingsBytes) {
    throw errors.settings_too_large({ errors: [{ path: 'settings', message: `must be at most ${maxSettingsBytes} bytes of JSON` }] })
  }
  const update = change.username === undefined ? change : { ...change, username: change.username.toLowerCase() }
  return ctx.tx(async (tx) => {
    if ((await lock(tx, id)) === null) throw errors.not_found()
    const before = (await byId(tx, id)) as UserRow
    requireRevision(before, revision)
    const user = await store.updateProfile(tx.db, id, update, new Date(tx.now()).toISOString()).catch((error: unknown) => {
      throw isTaken(error, 'users_username_key') ? errors.username_taken({ cause: error }) : error
    })
    const fields = Object.keys(change) as (keyof ProfileChange)[]
    tx.emit(profileUpdated, { user_id: id, fields }, { before: shown(before, fields), after: shown(user, fields) })
    return user
  })
}

/** What the audit says of a profile. Of the settings, which are the owner's and may be long, only that they changed. */
const shown = (user: UserRow, fields: readonly (keyof ProfileChange)[]): object =>
  Object.fromEntries(fields.filter((field) => field !== 'settings').map((field) => [field, user[field]]))

/**
 * For what makes or unmakes an admin: an API key that manages accounts would otherwise make one who may what no key may. 403
 * `http.forbidden` without the permission `users:appoint`.
 */
export const requireAppointing = (ctx: Ctx): void => {
  if (ctx.may('users:appoint')) return
  throw httpErrors.forbidden({
    detail: 'Admins are made and unmade in a session of your own: sign in.',
    extra: { permission: 'users:appoint' },
  })
}

/**
 * Holds the admins as they are until the transaction ends. 409 `users.last_admin` when nobody but this account is one: two who demote each
 * other at the same moment leave one of them.
 */
export const keepAnAdmin = async (tx: TxCtx, id: string): Promise<void> => {
  const admins = await store.lockAdmins(tx.db)
  if (admins.includes(id) && admins.length === 1) throw errors.last_admin()
}

/** Takes note that somebody has signed in, in the transaction that opens their session. */
export const countSignIn = (tx: TxCtx, id: string): Promise<void> => store.countSignIn(tx.db, id, new Date(tx.now()).toISOString())

/** Switches an account, which the caller has locked, off or on. Its sessions are the caller's to end: see `identity.setStatus`. */
export const setActive = async (tx: TxCtx, id: string, is_active: boolean, changed_by: string): Promise<UserRow> => {
  const before = await lock(tx, id)
  const user = await store.updateActive(tx.db, id, is_active, new Date(tx.now()).toISOString())
  tx.emit(statusChanged, { user_id: id, is_active, changed_by }, { before: { is_active: before?.is_active }, after: { is_active } })
  return user
}

/**
 * Switches off an account that is to be erased, in the transaction of whoever made sure that it may be and ends its sessions. The erasure itself
 * follows in the background, however often the server is stopped meanwhile.
 */
export const requestErasure = async (tx: TxCtx, user_id: string, by: string): Promise<void> => {
  await setActive(tx, user_id, false, by)
  tx.emit(erasureRequested, { user_id })
}

/**
 * Gives an account, which the caller has locked, an address that was shown to be its owner's, or says that of the one it has. The event is the
 * caller's to write. 409 `users.email_taken`.
 */
export const setAddress = (
  tx: TxCtx,
  id: string,
  address: { readonly email: string; readonly email_verified: boolean },
): Promise<UserRow> =>
  store
    .updateAddress(tx.db, id, { ...address, email: normaliseEmail(address.email) }, new Date(tx.now()).toISOString())
    .catch((error: unknown) => {
      throw isTaken(error, 'users_email_key') ? errors.email_taken({ cause: error }) : error
    })

const isTaken = (error: unknown, key: string): boolean => {
  const { code, constraint_name } = error as { code?: unknown; constraint_name?: unknown }
  return code === '23505' && constraint_name === key
}
