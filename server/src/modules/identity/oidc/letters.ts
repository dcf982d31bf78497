import type { TxCtx } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import * as mail from '../../mail/mail.ts'
import type { UserRow } from '../../users/users.ts'

const letters = {
  identity_linked: (label: string) => ({
    subject: `You can sign in with ${label}`,
    paragraphs: [`Whoever signs in with your ${label} account gets into your account here from now on.`],
  }),
  identity_unlinked: (label: string) => ({
    subject: `You cannot sign in with ${label} any more`,
    paragraphs: [`Your ${label} account was unlinked: signing in with it does not lead to your account here any more.`],
  }),
} as const satisfies { readonly [kind: string]: (label: string) => mail.Letter }

/** Tells the owner of an account who may sign in to it now. */
export const tellOwner = async (
  tx: TxCtx,
  user: Pick<UserRow, 'id' | 'email'>,
  kind: keyof typeof letters,
  label: string,
): Promise<void> => {
  const { subject, paragraphs } = letters[kind](label)
  const { host } = new URL(tx.use(httpService).url())
  const notes = [
    'If this was not you, somebody else may be using your account: change your password, and tell an administrator.',
    `Sent to ${user.email} by ${host}.`,
  ]
  await mail.send(tx, {
    ...mail.write({ subject, paragraphs, notes }),
    to: user.email,
    kind: `identity.${kind}`,
    user_id: user.id,
    workspace_id: tx.workspace_id,
  })
}
