import type { Ctx } from '../../../platform/context.ts'
import type { UserRow } from '../../users/users.ts'
import { attempts } from '../sign-in/attempts.ts'
import { hashPool } from './hash-pool.ts'
import { reauthenticationFailed } from '../recovery/events.ts'
import { errors } from '../recovery/errors.ts'
import * as sessions from '../sessions/sessions.ts'
import * as store from '../store.ts'

/** An account without a password shows who it is by having signed in so recently. */
const fresh_ms = 15 * 60_000

/** Whether the session that calls was opened so recently that it says who is there. */
export const isFresh = async (system: Ctx, session_id: string): Promise<boolean> => {
  const session = await store.sessionById(system.db, session_id)
  return session !== undefined && Date.parse(session.created_at) + fresh_ms > system.now()
}

/**
 * Checks a password that was given by somebody who is not trusted yet. Wrong ones count together with those of sign-ins from the same
 * place. Errors: 403 `auth.password_wrong`, 429 `identity.too_many_attempts`, 503 `identity.busy`.
 */
export const requirePassword = async (ctx: Ctx, user: UserRow, given: string, stored: string | null): Promise<void> => {
  const address = ctx.client?.address ?? null
  const right = await ctx.use(attempts).attempt(user.email, address, async () => (await ctx.use(hashPool).verify(given, stored)) || null)
  if (right === null) {
    await ctx.asSystem('note that a password was wrong').tx(async (tx) => tx.emit(reauthenticationFailed, { user_id: user.id }))
    throw errors.password_wrong()
  }
}

/**
 * Makes sure, before something is changed that could lock its owner out, that it is the owner who asks and not somebody who found a browser open or has
 * a copy of an access token: by the password, or where the account has none by a session younger than 15 minutes. Answers the hash
 * that was compared with, to be compared again in the transaction. Errors: 403 `auth.reauthentication_required`, and those above.
 */
export const requireCurrentPassword = async (ctx: Ctx, user: UserRow, given: string | undefined): Promise<string | null> => {
  const { session_id } = sessions.caller(ctx)
  const system = ctx.asSystem('make sure that it is the owner of an account who changes how to sign in')
  const stored = await store.passwordHash(system.db, user.id)
  if (stored !== null) {
    if (given === undefined) throw errors.reauthentication_required({ extra: { methods: ['password'] } })
    await requirePassword(ctx, user, given, stored)
    return stored
  }
  if (!(await isFresh(system, session_id))) throw errors.reauthentication_required({ extra: { methods: [] } })
  return null
}
