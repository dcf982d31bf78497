import type { App, TxCtx } from '../../../platform/context.ts'
import type { RecordedEvent } from '../../../platform/events/event.ts'
import * as users from '../../users/users.ts'
import { sendChangeLink } from './email-change.ts'
import { emailChangeRequested, magicLinkRequested, passwordResetRequested } from './events.ts'
import { installationOf, type LinkPurpose, links, sendLink } from './links.ts'
import * as mails from './mails.ts'

/** The events that ask for a link, and which one. */
const purposes: { readonly [event: string]: Exclude<LinkPurpose, 'email_verification' | 'account_setup'> } = {
  [passwordResetRequested.name]: 'password_reset',
  [magicLinkRequested.name]: 'magic_link',
  [emailChangeRequested.name]: 'email_change',
}

export const requests = Object.keys(purposes)

/** Sends the link that an event asks for, if there is an account that may have it. Called once or, after a crash, twice. */
export const sendRequested = async (app: App, event: RecordedEvent): Promise<void> => {
  const purpose = purposes[event.name]
  // Who asked so long ago has given up or asked again.
  if (purpose === undefined || app.now() - Date.parse(event.created_at) > links[purpose].life_ms) return
  const data = event.data as { readonly email: string; readonly user_id?: string }
  await app
    .asSystem('send the link that somebody asked for', event.workspace_id ?? undefined)
    .tx((tx) =>
      purpose === 'email_change' ? sendChangeLink(tx, data.user_id as string, data.email) : sendToOwner(tx, purpose, data.email),
    )
}

const sendToOwner = async (tx: TxCtx, purpose: 'password_reset' | 'magic_link', email: string): Promise<void> => {
  const user = await users.byEmail(tx, email)
  if (user === null || !user.is_active) return
  const about = { installation: installationOf(tx), email }
  const write = purpose === 'magic_link' ? mails.magicLink : mails.resetLink
  await sendLink(tx, { purpose, user, email, write: (url) => write(about, url, user.email_verified) })
}
