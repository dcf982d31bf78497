import type { TxCtx } from '../../platform/context.ts'
import { secrets } from '../../platform/secrets.ts'
import { isAddress, oneLine } from './address.ts'
import { errors } from './errors.ts'
import { queued } from './events.ts'
import { sender } from './sender.ts'
import * as store from './store.ts'

export { type Letter, type Written, write } from './letter.ts'
export { isAddress, oneLine, parseSender, type Sender } from './address.ts'
export { refusalOf } from './refusal.ts'

export interface NewMail {
  /** Made when it is not given. Two mails with one id are one mail. */
  readonly id?: string
  /** One address, without a name. */
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html?: string
  /** What it is about, as `identity.password_changed`: for the list of mails and the limit per recipient. */
  readonly kind: string
  /** The account it is about; its mails go when the account is erased. */
  readonly user_id?: string
  /** The transaction's own, where that has one. */
  readonly workspace_id: string | null
}

/**
 * Puts a mail into the post, in the transaction of what it tells about: it goes out if and only if that commits. It is delivered in
 * the background, tried again for about a day while the SMTP server cannot take it. Of one kind, one address gets ten an hour; what is
 * more is dropped, which the caller does not learn. Errors: 422 `mail.address_invalid`.
 */
export const send = async (tx: TxCtx, mail: NewMail): Promise<{ readonly id: string }> => {
  if (!isAddress(mail.to)) throw errors.address_invalid()
  const id = mail.id ?? tx.newId()
  const { address } = tx.use(sender)
  const isNew = await store.insertMail(tx.db, {
    id,
    workspace_id: mail.workspace_id,
    user_id: mail.user_id ?? null,
    kind: mail.kind,
    recipient: mail.to,
    subject: oneLine(mail.subject, 200),
    message_id: `<${id}@${address.slice(address.indexOf('@') + 1)}>`,
    body: tx.use(secrets).seal(`mails/${id}`, JSON.stringify({ text: mail.text, html: mail.html ?? null })),
    created_at: new Date(tx.now()).toISOString(),
  })
  if (isNew) tx.emit(queued, { mail_id: id, kind: mail.kind })
  return { id }
}
