import type { App, TxCtx, WorkspaceRole } from '../../platform/context.ts'
import { httpService } from '../../platform/http/http-service.ts'
import * as mail from '../mail/mail.ts'

/** The address of this installation as its owner configured it; never what a request says it is. */
export const installationOf = (app: App): string => app.use(httpService).url()

/**
 * A name that somebody chose, for a mail to somebody who may not know them: short, and without anything that a mail program would make a
 * link of. Anybody can call a workspace "You have won, visit evil.example".
 */
export const tame = (name: string): string => {
  const words = name
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, '')
    .replaceAll(/:\/\/|[.@/\\:](?=\S)/gu, ' ')
    .replaceAll(/\s+/gu, ' ')
    .trim()
  const short = words.slice(0, 60).toWellFormed()
  return short === '' ? 'somebody' : short
}

const roles: { readonly [role in WorkspaceRole]: string } = { owner: 'an owner', admin: 'an admin', member: 'a member', viewer: 'a viewer' }

interface Recipient {
  readonly email: string
  /** Of a mail to who has an account. */
  readonly user_id?: string
}

/** Puts a mail about the workspace of a transaction into the post. */
const post = async (tx: TxCtx, kind: string, to: Recipient, letter: mail.Letter): Promise<void> => {
  const sent_to = `Sent to ${to.email} by ${new URL(installationOf(tx)).host}.`
  const written = mail.write({ ...letter, notes: [...(letter.notes ?? []), sent_to] })
  const { user_id } = to
  await mail.send(tx, {
    ...written,
    to: to.email,
    kind: `workspaces.${kind}`,
    workspace_id: tx.workspace_id,
    ...(user_id === undefined ? {} : { user_id }),
  })
}

export const sendInvitation = (
  tx: TxCtx,
  to: Recipient,
  about: {
    readonly workspace: string
    readonly inviter: string
    readonly role: WorkspaceRole
    readonly url: string
    readonly days: number
  },
): Promise<void> => {
  const [inviter, workspace] = [tame(about.inviter), tame(about.workspace)]
  return post(tx, 'invitation', to, {
    subject: `${inviter} invites you to ${workspace}`,
    paragraphs: [`${inviter} invites you to join the workspace "${workspace}" as ${roles[about.role]}.`],
    link: { label: 'See the invitation', url: about.url },
    notes: [
      `The link works once, for ${about.days} days, for this address alone.`,
      'If you do not know who this is, leave it: nothing happens.',
    ],
  })
}

export const sendRemoved = (tx: TxCtx, to: Recipient, workspace: string): Promise<void> =>
  post(tx, 'removed', to, {
    subject: `You are no member of ${tame(workspace)} any more`,
    paragraphs: [`You were removed from the workspace "${tame(workspace)}". Your account and your other workspaces stay as they are.`],
  })

export const sendOwner = (tx: TxCtx, to: Recipient, workspace: string): Promise<void> =>
  post(tx, 'owner', to, {
    subject: `You own ${tame(workspace)} now`,
    paragraphs: [
      `You are an owner of the workspace "${tame(workspace)}" now: you may do everything in it, delete it and hand it on. The plan of your account counts for it.`,
    ],
  })

export const sendDeleted = (
  tx: TxCtx,
  to: Recipient,
  about: { readonly workspace: string; readonly by: string; readonly purge_at: string },
): Promise<void> =>
  post(tx, 'deleted', to, {
    subject: `${tame(about.workspace)} was deleted`,
    paragraphs: [
      `${tame(about.by)} has deleted the workspace "${tame(about.workspace)}". Nobody reaches it any more.`,
      `Until ${about.purge_at.slice(0, 10)} every owner can restore it, with all that is in it. Then it is removed for good.`,
    ],
  })
