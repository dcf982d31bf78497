import type { App, Ctx, TxCtx } from '../../../platform/context.ts'
import type { RecordedEvent } from '../../../platform/events/event.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import * as accounts from '../accounts.ts'
import { hashPool } from '../hash-pool.ts'
import * as oneTime from '../one-time-tokens.ts'
import * as sessions from '../sessions.ts'
import { putPassword } from '../store.ts'
import { claimByOwner } from './claim.ts'
import { errors } from './errors.ts'
import { passwordReset, passwordResetRequested } from './events.ts'
import { installationOf, type LinkPurpose, links, sendLink, sendNotice } from './links.ts'
import * as mails from './mails.ts'
import type { PasswordReset } from './schema.ts'

/**
 * Notes that somebody forgot the password of `email`. Whether there is such an account is not looked at here: one event is written
 * whoever it is, and `sendRequested` does the rest later. So neither the answer nor its time says anything.
 */
export const forgot = (ctx: Ctx, email: string): Promise<void> =>
  ctx
    .asSystem('note that somebody who is not signed in forgot their password')
    .tx(async (tx) => tx.emit(passwordResetRequested, { email: users.normaliseEmail(email) }))

/** Sends the link that an event asks for, if there is an account that may have it. Called once or, after a crash, twice. */
export const sendRequested = async (app: App, event: RecordedEvent): Promise<void> => {
  const { email } = event.data as { readonly email: string }
  // Who asked long ago has given up or asked again.
  if (app.now() - Date.parse(event.created_at) > links.password_reset.life_ms) return
  await app.asSystem('send the link that somebody asked for').tx(async (tx) => {
    const user = await users.byEmail(tx, email)
    if (user === null || !user.is_active) return
    const about = { installation: installationOf(tx), email }
    const write = user.email_verified ? mails.resetLink : mails.resetLinkUnconfirmed
    await sendLink(tx, { purpose: 'password_reset', user, email, write: (url) => write(about, url) })
  })
}

/**
 * Sets a new password with the token of a link. Signs nobody in, and asks nobody for less than before: a second factor stays. Ends every
 * session and every other link of the account. An account whose address was never confirmed is taken over by who holds the link, see
 * `claimByOwner`. Errors: 410 `auth.link_invalid`, 422 `auth.password_weak`, 503 `identity.busy`; after any of them the link is still good.
 */
export const reset = async (ctx: Ctx, input: PasswordReset): Promise<void> => {
  const system = ctx.asSystem('set a new password for who holds the link to do so')
  const seen = await oneTime.look(system, input.token, 'password_reset')
  const owner = seen?.user_id ? await users.byId(system, seen.user_id) : null
  // Looked at first, so that a guess costs no hash; what counts is looked at again in the transaction.
  if (owner === null) throw errors.link_invalid()
  await accounts.requireGoodPassword(ctx, input.password, ownerOf(owner))
  const hash = await ctx.use(hashPool).hash(input.password)
  await system.tx(async (tx) => {
    const user = await useLink(tx, owner.id, input.token, 'password_reset')
    tx.onBehalfOf(user.id)
    await claimByOwner(tx, user.id)
    await putPassword(tx.db, user.id, hash, new Date(tx.now()).toISOString())
    await oneTime.endOfUser(tx, user.id, 'all')
    await sessions.end(tx, user.id, 'all', 'password_reset')
    tx.emit(passwordReset, { user_id: user.id })
    await sendNotice(tx, user, 'password_was_reset', mails.passwordWasReset({ installation: installationOf(tx), email: user.email }))
  })
}

/**
 * Locks an account and uses up a link of it, in this order everywhere, so that two links of one account never wait for each other.
 * 410 `auth.link_invalid`, also for an account that is switched off or has another address by now.
 */
const useLink = async (tx: TxCtx, user_id: string, token: string, purpose: LinkPurpose): Promise<UserRow> => {
  await users.lock(tx, user_id)
  const user = await users.byId(tx, user_id)
  const used = await oneTime.take(tx, token, purpose)
  if (user?.is_active !== true || used?.user_id !== user.id || used.data['email'] !== user.email) throw errors.link_invalid()
  return user
}

/** What the password policy wants to know of an account. */
export const ownerOf = (user: UserRow) => ({
  email: user.email,
  username: user.username,
  ...(user.name === null ? {} : { name: user.name }),
})
