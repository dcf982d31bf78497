import type { Ctx } from '../../../platform/context.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import * as accounts from '../accounts.ts'
import { requireCurrentPassword } from '../passwords/current-password.ts'
import { hashPool } from '../passwords/hash-pool.ts'
import * as challenges from '../mfa/challenges.ts'
import * as oneTime from '../one-time-tokens.ts'
import * as sessions from '../sessions/sessions.ts'
import { rememberNetwork } from '../sign-in/sign-in-networks.ts'
import { liveSessions, passwordHash, putPassword } from '../store.ts'
import { claimByOwner } from './claim.ts'
import { errors } from './errors.ts'
import { passwordChanged, passwordReset, passwordResetRequested } from './events.ts'
import { installationOf, sendNotice, useLink } from './links.ts'
import * as mails from './mails.ts'
import type { PasswordChange, PasswordReset } from './schema.ts'

/**
 * Notes that somebody forgot the password of `email`. Whether there is such an account is not looked at here: one event is written
 * whoever it is, and `requested.ts` does the rest later. So neither the answer nor its time says anything.
 */
export const forgot = (ctx: Ctx, email: string): Promise<void> =>
  ctx
    .asSystem('note that somebody who is not signed in forgot their password')
    .tx(async (tx) => tx.emit(passwordResetRequested, { email: users.normaliseEmail(email) }))

/** The links that let their holder choose a password. */
const purposes = ['password_reset', 'account_setup'] as const

/**
 * Sets a new password with the token of a link. Signs nobody in, and asks nobody for less than before: a second factor stays. Ends every
 * session and every other link of the account. An account whose address was never confirmed is taken over by who holds the link, see
 * `claimByOwner`. Errors: 410 `auth.link_invalid`, 422 `auth.password_weak`, 503 `identity.busy`; after any of them the link is still good.
 */
export const reset = async (ctx: Ctx, input: PasswordReset): Promise<void> => {
  const system = ctx.asSystem('set a new password for who holds the link to do so')
  const seen = await oneTime.look(system, input.token, ...purposes)
  const owner = seen?.user_id ? await users.byId(system, seen.user_id) : null
  // Looked at first, so that a guess costs no hash; what counts is looked at again in the transaction.
  if (owner === null || !owner.is_active) throw errors.link_invalid()
  await accounts.requireGoodPassword(ctx, input.password, ownerOf(owner))
  const hash = await ctx.use(hashPool).hash(input.password)
  await system.tx(async (tx) => {
    const { user } = await useLink(tx, owner.id, input.token, ...purposes)
    tx.onBehalfOf(user.id)
    const claimed = await claimByOwner(tx, user.id)
    await putPassword(tx.db, user.id, hash, new Date(tx.now()).toISOString())
    await oneTime.endOfUser(tx, user.id, 'all')
    await challenges.endOfUser(tx, user.id)
    await sessions.end(tx, user.id, 'all', 'password_reset')
    // Who was locked out of guesses by a crowd is at home here from now on.
    await rememberNetwork(tx, user.id, tx.client?.address ?? null)
    tx.emit(passwordReset, { user_id: user.id })
    if (claimed) return
    await sendNotice(tx, user, 'password_was_reset', mails.passwordWasReset({ installation: installationOf(tx), email: user.email }))
  })
}

/**
 * Changes the password of the caller, or gives an account that has none its first. Every other session ends, this one stays, and so do API
 * keys; links to sign in with or to change something, which may be somebody else's, end. Errors: 403 `auth.reauthentication_required`,
 * 403 `auth.password_wrong`, 422 `auth.password_weak`, 429 `identity.too_many_attempts`, 503 `identity.busy`.
 */
export const change = async (ctx: Ctx, input: PasswordChange): Promise<void> => {
  const { user_id, session_id } = sessions.caller(ctx)
  const user = await users.profile(ctx)
  const stored = await requireCurrentPassword(ctx, user, input.password)
  await accounts.requireGoodPassword(ctx, input.new_password, ownerOf(user), 'new_password')
  const hash = await ctx.use(hashPool).hash(input.new_password)
  await ctx.asSystem('change the password of the caller', ctx.workspace_id ?? undefined).tx(async (tx) => {
    await users.lock(tx, user_id)
    // Somebody may have changed it while this one was hashed; who did not know that is asked again.
    if ((await passwordHash(tx.db, user_id)) !== stored) throw errors.password_wrong()
    await putPassword(tx.db, user_id, hash, new Date(tx.now()).toISOString())
    const others = (await liveSessions(tx.db, user_id, new Date(tx.now()).toISOString())).flatMap(({ id }) =>
      id === session_id ? [] : [id],
    )
    if (others.length > 0) await sessions.end(tx, user_id, others, 'password_changed')
    await oneTime.endOfUser(tx, user_id, ['password_reset', 'magic_link', 'email_change'])
    await challenges.endOfUser(tx, user_id)
    tx.emit(passwordChanged, { user_id })
    await sendNotice(tx, user, 'password_changed', mails.passwordWasChanged({ installation: installationOf(tx), email: user.email }))
  })
}

/** What the password policy wants to know of an account. */
export const ownerOf = (user: UserRow) => ({
  email: user.email,
  username: user.username,
  ...(user.name === null ? {} : { name: user.name }),
})
