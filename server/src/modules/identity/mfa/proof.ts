import type { Ctx } from '../../../platform/context.ts'
import { errors as userErrors } from '../../users/errors.ts'
import * as users from '../../users/users.ts'
import { isFresh, requirePassword } from '../passwords/current-password.ts'
import { busy } from '../errors.ts'
import { errors as recoveryErrors } from '../recovery/errors.ts'
import * as sessions from '../sessions/sessions.ts'
import { passwordHash } from '../store.ts'
import { errors } from './errors.ts'
import { check, givenBy, requirement } from './mfa.ts'
import type { Proof } from './schema.ts'

/**
 * Makes sure that it is the owner of the account who asks, and not somebody with a copy of their access token. Right is the password or a second
 * factor; an account that has neither needs a session younger than 15 minutes. Errors: 403 `auth.reauthentication_required`,
 * 403 `auth.password_wrong`, 401 `auth.mfa_invalid`, 429 `auth.mfa_blocked`, 429 `identity.too_many_attempts`, 429 `identity.account_guarded`,
 * 503 `identity.busy`.
 */
export const requireProof = async (ctx: Ctx, { password, code, passkey }: Proof): Promise<void> => {
  const { user_id, session_id } = sessions.caller(ctx)
  const system = ctx.asSystem('make sure that it is the owner of an account who changes how to sign in', ctx.workspace_id ?? undefined)
  const stored = await passwordHash(system.db, user_id)
  if (password !== undefined && stored !== null) {
    const user = await users.byId(system, user_id)
    if (user === null) throw userErrors.not_found()
    return requirePassword(ctx, user, password, stored)
  }
  const factors = await requirement(system, user_id)
  if ((code !== undefined || passkey !== undefined) && factors !== null) {
    const shown = passkey && { assertion: passkey, ceremony: { purpose: 'proof', binding: session_id } as const }
    const refused = await system.tx(async (tx) => {
      // Whoever uses a factor up has the account's lock, in a sign-in too: so they wait in line, and not for each other.
      await users.lock(tx, user_id)
      return check(tx, user_id, { ...givenBy(code), passkey: shown })
    })
    if (refused !== null) throw refused
    return
  }
  if (stored === null && factors === null && (await isFresh(system, session_id))) return
  throw recoveryErrors.reauthentication_required({ extra: { methods: [...(stored === null ? [] : ['password']), ...(factors ?? [])] } })
}

/** What a route that asks for a proof may answer, for OpenAPI. */
export const proofErrors = [
  recoveryErrors.reauthentication_required,
  recoveryErrors.password_wrong,
  errors.mfa_invalid,
  errors.mfa_blocked,
  busy.too_many_attempts,
  busy.account_guarded,
  busy.busy,
]
