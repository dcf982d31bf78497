import type { Ctx, TxCtx } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { errors as userErrors } from '../../users/errors.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { errors as authErrors } from '../errors.ts'
import { claimByOwner, markVerified } from '../recovery/claim.ts'
import { settings } from '../settings.ts'
import { errors } from './errors.ts'
import { identityLinked } from './events.ts'
import { tellOwner } from './letters.ts'
import type { Asserted } from './provider.ts'
import * as store from './store.ts'
import type { IdentityRow } from './store.ts'

/** Somebody whom an issuer vouches for, and under which name that issuer is known here. */
export interface Visitor extends Asserted {
  readonly provider: string | null
  /** The name that people know it by. */
  readonly label: string
}

const tries = 3

/**
 * Whose account it is: the one that the identity is linked to; else, for an address that the issuer vouches for, the account with it; else
 * a new one. An account whose own address was never confirmed may have been made by anybody, so it loses every way into it before the
 * owner of the address gets it. Errors: 403 `auth.account_inactive`, 403 `auth.registration_closed`, 409 `auth.email_taken`, 422
 * `auth.email_missing`.
 */
export const recognise = async (ctx: Ctx, visitor: Visitor): Promise<string> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await decide(ctx, visitor)
    } catch (error) {
      // Somebody registered with the address at this moment: then it is an account that is there.
      const taken = error instanceof Problem && error.code === userErrors.email_taken.code
      if (!taken || attempt === tries) throw error
    }
  }
}

const decide = async (ctx: Ctx, visitor: Visitor): Promise<string> => {
  const system = ctx.asSystem('find the account of somebody whom an issuer vouches for')
  const known = await store.find(system.db, visitor.issuer, visitor.subject)
  if (known !== undefined) return seen(ctx, known, visitor)
  const owner = visitor.email === null ? null : await users.byEmail(system, visitor.email)
  const workspace_id = owner === null ? ctx.newId() : await homeOf(system, owner.id)
  return ctx.asSystem('link an identity to its account', workspace_id).tx(async (tx) => {
    await store.lockIdentity(tx.db, visitor.issuer, visitor.subject)
    const meanwhile = await store.find(tx.db, visitor.issuer, visitor.subject)
    if (meanwhile !== undefined) return meanwhile.user_id
    if (owner === null) {
      const made = await makeAccount(tx, visitor, workspace_id)
      await tie(tx, visitor, made.id)
      return made.id
    }
    const user = await takeAccount(tx, visitor, owner.id)
    tx.onBehalfOf(user.id)
    await tie(tx, visitor, user.id)
    await tellOwner(tx, user, 'identity_linked', visitor.label)
    return user.id
  })
}

const seen = async (ctx: Ctx, identity: IdentityRow, visitor: Visitor): Promise<string> => {
  await ctx.asSystem('note that an identity was used').tx(async (tx) => {
    const standing = await users.lock(tx, identity.user_id)
    if (standing?.is_active !== true) throw errors.account_inactive()
    await store.see(tx.db, identity.id, visitor.email, new Date(tx.now()).toISOString())
  })
  return identity.user_id
}

/** An account that is there, for who has its address; locked. */
const takeAccount = async (tx: TxCtx, visitor: Visitor, user_id: string): Promise<UserRow> => {
  await users.lock(tx, user_id)
  const user = await users.byId(tx, user_id)
  // Gone or moved to another address in this moment: looked at anew.
  if (user === null || user.email !== visitor.email) throw userErrors.email_taken()
  if (!visitor.email_verified) throw errors.email_taken()
  if (!user.is_active) throw errors.account_inactive()
  await claimByOwner(tx, user_id)
  return user
}

const makeAccount = async (tx: TxCtx, visitor: Visitor, workspace_id: string): Promise<UserRow> => {
  if (tx.settings(settings).registration === 'closed') throw authErrors.registration_closed()
  const { email, email_verified, name } = visitor
  if (email === null) throw errors.email_missing()
  const user = await users.create(tx, { email, role: 'user', ...(name === null ? {} : { name }) })
  tx.onBehalfOf(user.id)
  await workspaces.createPersonal(tx, user, workspace_id)
  return email_verified ? markVerified(tx, user) : user
}

/** Makes an identity one of an account, in the transaction that decided so. */
export const tie = async (tx: TxCtx, visitor: Visitor, user_id: string): Promise<void> => {
  const { issuer, subject, provider, email } = visitor
  const now = new Date(tx.now()).toISOString()
  const identity = { id: tx.newId(), user_id, issuer, subject, provider, email, created_at: now, last_used_at: now }
  await store.insert(tx.db, identity)
  tx.emit(identityLinked, { identity_id: identity.id, user_id, issuer, subject, provider }, { after: { issuer, subject, provider, email } })
}

/** The workspace that an account's own events belong to: the personal one. */
export const homeOf = async (ctx: Ctx, user_id: string): Promise<string> => {
  const memberships = await workspaces.membershipsOf(ctx, user_id)
  const home = memberships.find(({ is_personal }) => is_personal) ?? memberships[0]
  if (home === undefined) throw new Error(`User ${user_id} belongs to no workspace`)
  return home.workspace_id
}
