import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { App, TxCtx } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import { defineService } from '../../../platform/service.ts'
import * as mail from '../../mail/mail.ts'
import type { UserRow } from '../../users/users.ts'
import * as oneTime from '../one-time-tokens.ts'

const minute = 60_000

/** The links that go out by mail: for how long each works, and the page that it opens. */
export const links = {
  email_verification: { life_ms: 24 * 60 * minute, page: '/auth/verify-email' },
  email_change: { life_ms: 60 * minute, page: '/auth/verify-email' },
  password_reset: { life_ms: 30 * minute, page: '/auth/reset' },
  magic_link: { life_ms: 10 * minute, page: '/auth/magic' },
} as const

export type LinkPurpose = keyof typeof links

/**
 * How many links of one kind an account is sent, whoever asks. Beyond it the last one stays good and nothing is sent: so a stranger who
 * asks again and again can neither fill a mailbox nor keep its owner from using the link they have. Half of what the post lets through, so
 * that no link is replaced by one that then does not arrive.
 */
const quota = { links: 5, window_s: 3_600 }

export const linkQuota = defineService<{ readonly allows: (purpose: LinkPurpose, user_id: string) => Promise<boolean> }>({
  name: 'identity.link_quota',
  create: () => {
    const limiter = new RateLimiterMemory({ points: quota.links, duration: quota.window_s, keyPrefix: 'link' })
    return {
      allows: async (purpose, user_id) => {
        try {
          await limiter.consume(`${purpose}|${user_id}`)
          return true
        } catch (refused) {
          if (refused instanceof RateLimiterRes) return false
          throw refused
        }
      },
    }
  },
})

/** The address of this installation as its owner configured it; never what a request says it is. */
export const installationOf = (app: App): string => app.use(httpService).url()

/**
 * Puts a mail with a new link of a kind into the post; the older links of that kind stop working. The token stands in the fragment, which
 * browsers send to no server. Bound to the address it is sent to. False when the account has had its share for now.
 */
export const sendLink = async (
  tx: TxCtx,
  input: {
    readonly purpose: LinkPurpose
    readonly user: Pick<UserRow, 'id'>
    readonly email: string
    readonly write: (url: string) => mail.Written
  },
): Promise<boolean> => {
  const { purpose, user, email } = input
  if (!(await tx.use(linkQuota).allows(purpose, user.id))) return false
  const { life_ms, page } = links[purpose]
  const token = await oneTime.give(tx, { purpose, user_id: user.id, life_ms, data: { email } })
  const written = input.write(`${installationOf(tx)}${page}#token=${token}`)
  await mail.send(tx, { ...written, to: email, kind: `identity.${purpose}`, user_id: user.id, workspace_id: tx.workspace_id })
  return true
}

/** Tells the owner of an account what was done to it. */
export const sendNotice = async (
  tx: TxCtx,
  user: Pick<UserRow, 'id' | 'email'>,
  kind: string,
  written: mail.Written,
  to: string = user.email,
): Promise<void> => {
  await mail.send(tx, { ...written, to, kind: `identity.${kind}`, user_id: user.id, workspace_id: tx.workspace_id })
}
