import type { Ctx } from '../../../platform/context.ts'
import * as users from '../../users/users.ts'
import { errors as authErrors } from '../errors.ts'
import { requireProof } from '../mfa/proof.ts'
import type { Proof } from '../mfa/schema.ts'
import * as sessions from '../sessions/sessions.ts'
import { sessionById } from '../store.ts'
import { errors } from './errors.ts'
import { identityUnlinked } from './events.ts'
import { homeOf, tie, type Visitor } from './identities.ts'
import { tellOwner } from './letters.ts'
import * as store from './store.ts'
import type { IdentityRow } from './store.ts'

/**
 * Gives an identity to the account of the session that asked for it, if that has not ended meanwhile. Linked to it before: nothing more to do.
 * Errors: 401 `auth.session_revoked`, 403 `auth.account_inactive`, 409 `auth.identity_taken`.
 */
export const link = async (ctx: Ctx, visitor: Visitor, session_id: string): Promise<void> => {
  const session = await sessionById(ctx.asSystem('find who asked to link an identity').db, session_id)
  if (session === undefined) throw authErrors.session_revoked()
  const { user_id } = session
  await ctx.asSystem('link an identity to the account of who asked for it', session.workspace_id).tx(async (tx) => {
    const standing = await users.lock(tx, user_id)
    const now = await sessionById(tx.db, session_id)
    if (now === undefined || now.revoked_at !== null || Date.parse(now.expires_at) <= tx.now()) throw authErrors.session_revoked()
    if (standing?.is_active !== true) throw errors.account_inactive()
    await store.lockIdentity(tx.db, visitor.issuer, visitor.subject)
    const known = await store.find(tx.db, visitor.issuer, visitor.subject)
    if (known?.user_id === user_id) return
    if (known !== undefined) throw errors.identity_taken()
    tx.onBehalfOf(user_id)
    await tie(tx, visitor, user_id)
    const user = await users.byId(tx, user_id)
    if (user !== null) await tellOwner(tx, user, 'identity_linked', visitor.label)
  })
}

/** The caller's identities, in the order in which they were linked. */
export const list = (ctx: Ctx): Promise<readonly IdentityRow[]> => store.ofUser(ctx.db, sessions.caller(ctx).user_id)

/**
 * Takes one of the caller's identities away from the account. Errors: 404 `auth.identity_not_found`, 409 `auth.last_way_in`, and those of
 * `requireProof`.
 */
export const unlink = async (ctx: Ctx, id: string, proof: Proof): Promise<void> => {
  const { user_id } = sessions.caller(ctx)
  await requireProof(ctx, proof)
  const home = await homeOf(ctx.asSystem('find the workspace of who unlinks an identity'), user_id)
  await ctx.asSystem('unlink an identity that its owner wants to be rid of', home).tx(async (tx) => {
    await users.lock(tx, user_id)
    const mine = await store.ofUser(tx.db, user_id)
    const identity = mine.find((each) => each.id === id)
    if (identity === undefined) throw errors.identity_not_found()
    if (mine.length === 1 && !(await store.hasOtherWayIn(tx.db, user_id))) throw errors.last_way_in()
    await store.remove(tx.db, user_id, id)
    const { issuer, subject, provider, email } = identity
    tx.emit(identityUnlinked, { identity_id: id, user_id, issuer, subject, provider }, { before: { issuer, subject, provider, email } })
    const user = await users.byId(tx, user_id)
    if (user !== null) await tellOwner(tx, user, 'identity_unlinked', provider ?? issuer)
  })
}
