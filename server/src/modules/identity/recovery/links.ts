import type { Json } from '../../../lib/json.ts'
import type { App, TxCtx } from '../../../platform/context.ts'
import { counters } from '../../../platform/counters/counters.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import * as mail from '../../mail/mail.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import * as oneTime from '../one-time-tokens.ts'
import type { OneTimeToken } from '../one-time-tokens.ts'
import { errors } from './errors.ts'

const minute = 60_000

/** The links that go out by mail: for how long each works, and the page that it opens. */
export const links = {
  email_verification: { life_ms: 24 * 60 * minute, page: '/auth/verify-email' },
  email_change: { life_ms: 60 * minute, page: '/auth/change-email' },
  password_reset: { life_ms: 30 * minute, page: '/auth/reset' },
  account_setup: { life_ms: 7 * 24 * 60 * minute, page: '/auth/reset' },
  magic_link: { life_ms: 10 * minute, page: '/auth/magic' },
} as const

export type LinkPurpose = keyof typeof links

/**
 * How many links of one kind an account is sent, whoever asks. Beyond it the last one stays good and nothing is sent: so a stranger who
 * asks again and again can neither fill a mailbox nor keep its owner from using the link they have. Half of what the post lets through, so
 * that no link is replaced by one that then does not arrive.
 */
const quota = { links: 5, window_s: 3_600 }

const withinQuota = async (app: App, purpose: LinkPurpose, user_id: string): Promise<boolean> => {
  const { used } = await app.use(counters).counter('identity.links', quota.window_s).add(`${purpose}|${user_id}`)
  return used <= quota.links
}

/** The address of this installation as its owner configured it; never what a request says it is. */
export const installationOf = (app: App): string => app.use(httpService).url()

/**
 * Puts a mail with a new link of a kind into the post; the older links of that kind stop working. The token stands in the fragment, which
 * browsers send to no server. Good only as long as the account has this address. False when the account has had its share for now.
 */
export const sendLink = async (
  tx: TxCtx,
  input: {
    readonly purpose: LinkPurpose
    readonly user: Pick<UserRow, 'id'>
    /** The account's address as it is now. */
    readonly email: string
    /** Where the link goes, when not to that address. */
    readonly to?: string
    readonly data?: { readonly [field: string]: Json }
    readonly write: (url: string) => mail.Written
  },
): Promise<boolean> => {
  const { purpose, user, email, to = email } = input
  if (!(await withinQuota(tx, purpose, user.id))) return false
  const { life_ms, page } = links[purpose]
  const token = await oneTime.give(tx, { purpose, user_id: user.id, life_ms, data: { ...input.data, email } })
  const written = input.write(`${installationOf(tx)}${page}#token=${token}`)
  await mail.send(tx, { ...written, to, kind: `identity.${purpose}`, user_id: user.id, workspace_id: tx.workspace_id })
  return true
}

/**
 * Uses up a link of an account that is locked, and answers whose it is; null when it is not good, also because the account is switched off
 * or has another address by now.
 */
export const takeLink = async (
  tx: TxCtx,
  user_id: string,
  token: string,
  ...purposes: readonly LinkPurpose[]
): Promise<{ readonly user: UserRow; readonly token: OneTimeToken } | null> => {
  const user = await users.byId(tx, user_id)
  const used = await oneTime.take(tx, token, ...purposes)
  if (user?.is_active !== true || used?.user_id !== user.id || used.data['email'] !== user.email) return null
  return { user, token: used }
}

/**
 * The same for an account that is not locked yet: locked first and the link used up then, in this order everywhere, so that two links of
 * one account never wait for each other. 410 `auth.link_invalid`.
 */
export const useLink = async (tx: TxCtx, user_id: string, token: string, ...purposes: readonly LinkPurpose[]) => {
  await users.lock(tx, user_id)
  const taken = await takeLink(tx, user_id, token, ...purposes)
  if (taken === null) throw errors.link_invalid()
  return taken
}

/** Tells the owner of an account what was done to it. */
export const sendNotice = async (tx: TxCtx, user: Pick<UserRow, 'id' | 'email'>, kind: string, written: mail.Written): Promise<void> => {
  await mail.send(tx, { ...written, to: user.email, kind: `identity.${kind}`, user_id: user.id, workspace_id: tx.workspace_id })
}
