import { callerId } from '../../../platform/caller.ts'
import type { Ctx } from '../../../platform/context.ts'
import { errors as userErrors } from '../../users/errors.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import * as accounts from '../accounts.ts'
import { errors as authErrors } from '../errors.ts'
import { hashPool } from '../passwords/hash-pool.ts'
import { requireProof } from '../mfa/proof.ts'
import type { Proof } from '../mfa/schema.ts'
import { isVerifiable } from '../passwords/password-hash.ts'
import { installationOf, sendLink } from '../recovery/links.ts'
import { accountMade } from '../recovery/mails.ts'
import * as sessions from '../sessions/sessions.ts'
import { errors } from './errors.ts'
import type { NewAccount } from './schema.ts'

/**
 * Makes an account for somebody else, whatever the setting says about registration. Errors: 403 `http.forbidden` for an admin without
 * `users:appoint`, 409 `users.email_taken`, 409 `users.username_taken`,
 * 422 `auth.password_weak`, 422 `auth.password_twice`, 422 `auth.password_hash_unknown`, 503 `identity.busy`.
 */
export const createAccount = async (ctx: Ctx, input: NewAccount): Promise<UserRow> => {
  if (input.role === 'admin') users.requireAppointing(ctx)
  const hash = await hashOf(ctx, input)
  const workspace_id = ctx.newId()
  return ctx.asSystem('an admin makes an account for somebody', workspace_id).tx(async (tx) => {
    const { email, username, name, role, plan, email_verified = false } = input
    const user = await accounts.create(tx, { email, username, name, role: role ?? 'user', plan, email_verified, hash }, workspace_id)
    const installation = installationOf(tx)
    if (hash === null) {
      await sendLink(tx, {
        purpose: 'account_setup',
        user,
        email: user.email,
        write: (url) => accountMade({ installation, email: user.email }, url),
      })
    }
    return user
  })
}

const hashOf = async (ctx: Ctx, input: NewAccount): Promise<string | null> => {
  const { password, password_hash } = input
  if (password_hash !== undefined) {
    if (password !== undefined) throw errors.password_twice({ errors: [{ path: 'password_hash', message: 'goes without a password' }] })
    if (!isVerifiable(password_hash))
      throw errors.password_hash_unknown({ errors: [{ path: 'password_hash', message: 'is of no kind that is known' }] })
    return password_hash
  }
  if (password === undefined) return null
  await accounts.requireGoodPassword(ctx, password, input)
  return ctx.use(hashPool).hash(password)
}

/**
 * Erases somebody else's account. It can be used no more when this returns; the rest is done in the background. For admins. Errors:
 * 409 `auth.self_deactivation`, 404 `users.not_found`, 409 `users.last_admin`, 409 `auth.sole_owner`.
 */
export const eraseAccount = async (ctx: Ctx, user_id: string): Promise<void> => {
  if (callerId(ctx) === user_id) throw authErrors.self_deactivation()
  const user = await users.byId(ctx.asSystem("an admin erases somebody's account"), user_id)
  if (user?.role === 'admin') users.requireAppointing(ctx)
  await beginErasure(ctx, user_id)
}

/**
 * Erases the caller's own account, who shows once more that it is theirs. Errors: 409 `users.last_admin`, 409 `auth.sole_owner`, and those of
 * `requireProof`.
 */
export const leave = async (ctx: Ctx, proof: Proof): Promise<void> => {
  await requireProof(ctx, proof)
  await beginErasure(ctx, callerId(ctx))
}

const beginErasure = (ctx: Ctx, user_id: string): Promise<void> =>
  ctx.asSystem('an account is to be erased').tx(async (tx) => {
    await users.keepAnAdmin(tx, user_id)
    if ((await users.lock(tx, user_id)) === null) throw userErrors.not_found()
    const left = await workspaces.onlyOwnedBy(tx, user_id)
    if (left.length > 0) throw errors.sole_owner({ extra: { workspaces: left } })
    await users.requestErasure(tx, user_id, callerId(ctx))
    await sessions.end(tx, user_id, 'all', 'deactivated')
  })
