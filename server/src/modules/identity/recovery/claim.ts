import type { TxCtx } from '../../../platform/context.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import { removeKeys } from '../keys/keys.ts'
import { removeAll } from '../mfa/enrolment.ts'
import { removeIdentities } from '../oidc/remove-identities.ts'
import * as oneTime from '../one-time-tokens.ts'
import * as sessions from '../sessions/sessions.ts'
import { forgetNetworks } from '../sign-in/sign-in-networks.ts'
import { deletePassword } from '../store.ts'
import { accountClaimed, emailVerified } from './events.ts'
import { installationOf, sendNotice } from './links.ts'
import * as mails from './mails.ts'

/**
 * To be called when somebody has shown that the address of an account is theirs (a link sent to it was opened, an identity provider vouches
 * for it), before they are let in. An account whose address was confirmed before stays as it is. One that was not may have been made by
 * anybody, in wait for its owner: every way into it goes (password, sessions, links, keys, second factors, foreign identities), and
 * the address counts as confirmed. Locks the account. Needs the system's scope. Answers whether there was anything to take over.
 */
export const claimByOwner = async (tx: TxCtx, user_id: string): Promise<boolean> => {
  await users.lock(tx, user_id)
  const user = await users.byId(tx, user_id)
  if (user === null || user.email_verified) return false
  await removeWaysIn(tx, user, 'claimed')
  await markVerified(tx, user)
  tx.emit(accountClaimed, { user_id, email: user.email })
  await sendNotice(tx, user, 'account_claimed', mails.accountWasClaimed({ installation: installationOf(tx), email: user.email }))
  return true
}

/** Leaves an account without any way into it, except for links that are sent to its address later. */
export const removeWaysIn = async (tx: TxCtx, user: Pick<UserRow, 'id'>, reason: 'claimed' | 'disowned'): Promise<void> => {
  await deletePassword(tx.db, user.id)
  await removeAll(tx, user.id, reason)
  await removeKeys(tx, { user_id: user.id }, reason)
  await forgetNetworks(tx, user.id)
  await removeIdentities(tx, user.id)
  await oneTime.endOfUser(tx, user.id, 'all')
  await sessions.end(tx, user.id, 'all', reason)
}

export const markVerified = async (tx: TxCtx, user: UserRow): Promise<UserRow> => {
  const verified = await users.setAddress(tx, user.id, { email: user.email, email_verified: true })
  tx.emit(
    emailVerified,
    { user_id: user.id, email: user.email },
    { before: { email_verified: user.email_verified }, after: { email_verified: true } },
  )
  return verified
}
