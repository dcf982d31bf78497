import type { Ctx, TxCtx } from '../../../platform/context.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import { requireCurrentPassword } from '../passwords/current-password.ts'
import * as oneTime from '../one-time-tokens.ts'
import * as sessions from '../sessions/sessions.ts'
import { errors } from './errors.ts'
import { emailChanged, emailChangeRequested } from './events.ts'
import { installationOf, sendLink, sendNotice } from './links.ts'
import * as mails from './mails.ts'

/**
 * Notes that the caller wants another address. Whether somebody else has it is not looked at here: the reply and its time are the
 * same, and `sendChangeLink` does the rest later. Errors: 403 `auth.reauthentication_required`, 403 `auth.password_wrong`,
 * 409 `auth.email_unchanged`, 429 `identity.too_many_attempts`.
 */
export const requestChange = async (ctx: Ctx, input: { readonly email: string; readonly password?: string | undefined }): Promise<void> => {
  const { user_id } = sessions.caller(ctx)
  const user = await users.profile(ctx)
  const email = users.normaliseEmail(input.email)
  await requireCurrentPassword(ctx, user, input.password)
  if (email === user.email) throw errors.email_unchanged()
  await ctx.tx(async (tx) => tx.emit(emailChangeRequested, { user_id, email }))
}

/** Sends the link to the new address and tells the old one; where the new one has an account already, its owner is told instead. */
export const sendChangeLink = async (tx: TxCtx, user_id: string, email: string): Promise<void> => {
  const user = await users.byId(tx, user_id)
  if (user === null || !user.is_active || user.email === email) return
  const installation = installationOf(tx)
  const owner = await users.byEmail(tx, email)
  const told =
    owner === null
      ? await sendLink(tx, {
          purpose: 'email_change',
          user,
          email: user.email,
          to: email,
          data: { new_email: email },
          write: (url) => mails.changeLink({ installation, email }, url),
        })
      : true
  if (owner !== null) await sendNotice(tx, owner, 'email_change_taken', mails.addressIsTaken({ installation, email }))
  if (told) await sendNotice(tx, user, 'email_change_requested', mails.changeWasRequested({ installation, email: user.email }, email))
}

/** Gives an account, which is locked, the address that a link was sent to. 409 `users.email_taken`. */
export const applyChange = async (tx: TxCtx, user: UserRow, email: string): Promise<UserRow> => {
  const changed = await users.setAddress(tx, user.id, { email, email_verified: true })
  // What was sent to the old address is no proof for the new one.
  await oneTime.endOfUser(tx, user.id, 'all')
  tx.emit(
    emailChanged,
    { user_id: user.id, email, previous_email: user.email },
    { before: { email: user.email, email_verified: user.email_verified }, after: { email, email_verified: true } },
  )
  await sendNotice(tx, user, 'email_changed', mails.addressWasChanged({ installation: installationOf(tx), email: user.email }, email))
  return changed
}
