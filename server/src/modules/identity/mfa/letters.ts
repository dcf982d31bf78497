import type { TxCtx } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import * as mail from '../../mail/mail.ts'
import * as users from '../../users/users.ts'

/** What the owner of an account is told of its second factors. */
const letters = {
  mfa_enabled: {
    subject: 'Two-factor sign-in is on',
    paragraphs: [
      'An authenticator app was set up for your account. From now on, signing in takes one of its codes.',
      'Keep the recovery codes that you were shown where you find them without your phone.',
    ],
  },
  mfa_disabled: {
    subject: 'Your authenticator app was removed',
    paragraphs: ['The authenticator app of your account was removed. Its codes are not asked for any more.'],
  },
  mfa_removed_by_admin: {
    subject: 'Your second factors were removed',
    paragraphs: [
      'An administrator removed the authenticator app, the passkeys and the recovery codes of your account, and ended all its sessions.',
      'Sign in and set up a second factor again.',
    ],
  },
  mfa_blocked: {
    subject: 'Wrong codes for your account',
    paragraphs: [
      'Somebody who knows your password, or is signed in to your account, has given ten wrong codes in a row. Codes of your authenticator app are not taken for an hour; recovery codes and passkeys are.',
      'If this was not you, change your password now.',
    ],
  },
  recovery_code_used: {
    subject: 'A recovery code was used',
    paragraphs: ['One of the recovery codes of your account was used in place of a code or a passkey.'],
  },
  recovery_codes_made: {
    subject: 'New recovery codes',
    paragraphs: ['New recovery codes were made for your account. Those from before do not work any more.'],
  },
  passkey_added: {
    subject: 'A passkey was added',
    paragraphs: ['A passkey was added to your account. Whoever holds it can sign in without your password.'],
  },
  passkey_removed: {
    subject: 'A passkey was removed',
    paragraphs: ['A passkey of your account was removed. Nobody can sign in with it any more.'],
  },
  passkey_clone_suspected: {
    subject: 'There may be a copy of a passkey of yours',
    paragraphs: [
      'Somebody tried to sign in with a passkey of your account whose count of uses had gone backwards. That happens when there are two copies of it. It was not accepted.',
      'If you did not copy it yourself, remove it from your account.',
    ],
  },
} as const satisfies { readonly [kind: string]: mail.Letter }

export type LetterKind = keyof typeof letters

/** Tells the owner of an account what was done to it; `more` stands at the end. */
export const tellOwner = async (tx: TxCtx, user_id: string, kind: LetterKind, ...more: readonly string[]): Promise<void> => {
  const user = await users.byId(tx, user_id)
  if (user === null) return
  const { subject, paragraphs } = letters[kind]
  const { host } = new URL(tx.use(httpService).url())
  const notes = [
    'If this was not you, somebody else may be using your account: tell an administrator.',
    `Sent to ${user.email} by ${host}.`,
  ]
  const written = mail.write({ subject, paragraphs: [...paragraphs, ...more], notes })
  await mail.send(tx, { ...written, to: user.email, kind: `identity.${kind}`, user_id, workspace_id: tx.workspace_id })
}
