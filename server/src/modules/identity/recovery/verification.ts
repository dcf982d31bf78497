import type { Ctx, TxCtx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import { requirePassword } from '../passwords/current-password.ts'
import * as oneTime from '../one-time-tokens.ts'
import * as sessions from '../sessions/sessions.ts'
import { passwordHash } from '../store.ts'
import { markVerified, removeWaysIn } from './claim.ts'
import { applyChange } from './email-change.ts'
import { errors } from './errors.ts'
import { accountDisowned } from './events.ts'
import { installationOf, sendLink, useLink } from './links.ts'
import * as mails from './mails.ts'

/** Puts the link that confirms an account's address into the post. False when the account has had its share for now. */
export const sendVerification = (tx: TxCtx, user: UserRow): Promise<boolean> => {
  const about = { installation: installationOf(tx), email: user.email }
  return sendLink(tx, { purpose: 'email_verification', user, email: user.email, write: (url) => mails.verificationLink(about, url) })
}

/** The same, asked for in a session. Errors: 409 `auth.email_already_verified`, 429 `http.rate_limited`. */
export const sendVerificationAgain = async (ctx: Ctx): Promise<void> => {
  const { user_id } = sessions.caller(ctx)
  await ctx.asSystem('send somebody the link to confirm their address again', ctx.workspace_id ?? undefined).tx(async (tx) => {
    await users.lock(tx, user_id)
    const user = await users.byId(tx, user_id)
    if (user === null || user.email_verified) throw errors.email_already_verified()
    if (!(await sendVerification(tx, user)))
      throw httpErrors.rate_limited({ detail: 'Use the link that was sent last, or try again in an hour.' })
  })
}

/**
 * Confirms the address that a link was sent to, or gives the account the new one. The link alone is not enough: it shows that somebody
 * reads the mail of an address, and not that they made the account. Were it, the owner of an address would with one click give their
 * name to an account that a stranger made with it, and whose password the stranger knows. So the account has to be shown as well: by
 * a session of it, or by its password. Errors: 410 `auth.link_invalid`, 403 `auth.reauthentication_required`, 403 `auth.password_wrong`,
 * 429 `identity.too_many_attempts`, 409 `users.email_taken`; after any of them the link is still good.
 */
export const verify = async (ctx: Ctx, input: { readonly token: string; readonly password?: string | undefined }): Promise<UserRow> => {
  const system = ctx.asSystem('confirm an address for who holds the link to do so')
  const seen = await oneTime.look(system, input.token, 'email_verification', 'email_change')
  const owner = seen?.user_id ? await users.byId(system, seen.user_id) : null
  if (seen === null || owner === null || !owner.is_active) throw errors.link_invalid()
  await requireHolder(ctx, owner, input.password)
  return system.tx(async (tx) => {
    const { user, token } = await useLink(tx, owner.id, input.token, 'email_verification', 'email_change')
    tx.onBehalfOf(user.id)
    if (token.purpose === 'email_change') return applyChange(tx, user, token.data['new_email'] as string)
    return user.email_verified ? user : markVerified(tx, user)
  })
}

/** Whoever uses the link uses the account, too. */
const requireHolder = async (ctx: Ctx, owner: UserRow, password: string | undefined): Promise<void> => {
  const { actor } = ctx
  if (actor.type === 'user' && actor.user_id === owner.id && actor.via.type === 'session' && actor.impersonator_id === null) return
  if (password === undefined) {
    throw errors.reauthentication_required({
      detail: 'Sign in to the account and open the link there, or give the password of the account with it.',
      extra: { methods: ['session', 'password'] },
    })
  }
  const system = ctx.asSystem('check the password of who confirms an address')
  await requirePassword(system, owner, password, await passwordHash(system.db, owner.id))
}

/**
 * For who got a link and made no account: it loses every way into it, and only a link that is sent to the address later leads in.
 * 410 `auth.link_invalid`, also when the address was confirmed meanwhile.
 */
export const disown = async (ctx: Ctx, token: string): Promise<void> => {
  const system = ctx.asSystem('close an account whose address somebody else holds')
  const seen = await oneTime.look(system, token, 'email_verification')
  if (!seen?.user_id) throw errors.link_invalid()
  const { user_id } = seen
  await system.tx(async (tx) => {
    const { user } = await useLink(tx, user_id, token, 'email_verification')
    if (user.email_verified) throw errors.link_invalid()
    await removeWaysIn(tx, user, 'disowned')
    tx.emit(accountDisowned, { user_id, email: user.email })
  })
}
