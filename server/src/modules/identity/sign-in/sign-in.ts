import type { Ctx, TxCtx } from '../../../platform/context.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { errors } from '../errors.ts'
import type { Method } from '../events.ts'
import { demand } from '../mfa/challenges.ts'
import type { Given } from '../mfa/mfa.ts'
import { errors as recoveryErrors } from '../recovery/errors.ts'
import { sendVerification } from '../recovery/verification.ts'
import * as sessions from '../sessions/sessions.ts'
import type { Client, Tokens } from '../sessions/sessions.ts'
import { settings } from '../settings.ts'

export interface SignIn {
  readonly user_id: string
  readonly method: Method
  readonly remember_me: boolean
  readonly client: Client
  /** What was given along with the first factor, for an account that has a second one. */
  readonly second_factor?: Given
  /**
   * What goes with it in the same transaction, before anything else: using up a link, storing a fresh hash. What it answers is thrown
   * after the commit, so that a refusal need not undo what it wrote.
   */
  readonly first?: (tx: TxCtx) => Promise<Error | null>
}

/**
 * The one door: every way of signing in ends here, once it has shown who somebody is, so that all of them ask the same of an account.
 * Errors: 401 `auth.invalid_credentials` for an account that is switched off, 403 `auth.email_unverified`, those of `first`, and for an account that has a second factor
 * 401 `auth.mfa_required`, 401 `auth.mfa_invalid` and 429 `auth.mfa_blocked`.
 */
export const signIn = async (ctx: Ctx, input: SignIn): Promise<Tokens> => {
  const system = ctx.asSystem('open a session for somebody who has shown who they are')
  const workspace_id = await homeOf(system, input.user_id)
  const outcome = await ctx.asSystem('open a session', workspace_id).tx(async (tx) => {
    // Whatever was true when the password was hashed: the account is locked now, and this is what counts.
    if ((await users.lock(tx, input.user_id))?.is_active !== true) return errors.invalid_credentials()
    const refused = (await input.first?.(tx)) ?? null
    if (refused !== null) return refused
    const user = (await users.byId(tx, input.user_id)) as UserRow
    if (tx.settings(settings).require_verified_email && !user.email_verified && input.method !== 'impersonation') {
      await sendVerification(tx, user)
      return recoveryErrors.email_unverified()
    }
    const missing = await demand(tx, { ...input, given: input.second_factor })
    if (missing !== null) return missing
    return sessions.open(tx, { user, workspace_id, remember_me: input.remember_me, method: input.method, client: input.client })
  })
  if (outcome instanceof Error) throw outcome
  return outcome
}

/** The workspace a session starts in: the personal one. */
export const homeOf = async (ctx: Ctx, user_id: string): Promise<string> => {
  const home = sessions.homeAmong(await workspaces.membershipsOf(ctx, user_id))
  if (home === null) throw new Error(`User ${user_id} belongs to no workspace`)
  return home
}
