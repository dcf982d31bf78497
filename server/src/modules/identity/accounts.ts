import type { Ctx, TxCtx } from '../../platform/context.ts'
import * as users from '../users/users.ts'
import type { UserRow } from '../users/users.ts'
import * as workspaces from '../workspaces/workspaces.ts'
import { errors } from './errors.ts'
import { checkPassword, type Owner } from './passwords/password-policy.ts'
import { commonPasswords } from './services.ts'
import * as store from './store.ts'

/** Nobody has this id; asked for instead of an account that does not exist, so that the same queries run. */
export const nobody = '00000000-0000-0000-0000-000000000000'

/**
 * An account with its password, if it has one, and its personal workspace, in one transaction of the system's scope. The workspace's id is known before,
 * so that the transaction, and with it every event in it, can be that workspace's own.
 */
export const create = async (
  tx: TxCtx,
  input: users.NewUser & { readonly hash: string | null },
  workspace_id: string,
): Promise<UserRow> => {
  const user = await users.create(tx, input)
  if (input.hash !== null) await store.putPassword(tx.db, user.id, input.hash, user.created_at)
  await workspaces.createPersonal(tx, user, workspace_id)
  return user
}

/** 422 `auth.password_weak`, with the reason as an error of the field `path`, for a password that the policy refuses. */
export const requireGoodPassword = async (ctx: Ctx, password: string, owner: Owner, path = 'password'): Promise<void> => {
  const message = checkPassword(password, owner, await ctx.use(commonPasswords).get())
  if (message !== null) throw errors.password_weak({ detail: `The password ${message}.`, errors: [{ path, message }] })
}
