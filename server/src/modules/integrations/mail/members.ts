import type { NodeIo } from '../../../engine/node.ts'
import { NodeFailure } from '../../../engine/node.ts'
import { derivedId } from '../../../lib/derived-id.ts'
import type { JsonObject } from '../../../lib/json.ts'
import type { TxCtx } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import * as mail from '../../mail/mail.ts'
import * as users from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import type { Letter } from './schema.ts'

const most_recipients = 50

interface Member {
  readonly id: string
  readonly email: string
  readonly is_active: boolean
  readonly email_verified: boolean
}

/** Those members who are meant. Whoever is none is told: the product's server is no way to strangers. */
const membersAmong = async (tx: TxCtx, workspace_id: string, meant: readonly string[]): Promise<readonly Member[]> => {
  const members: readonly Member[] = await users.byIds(tx, await workspaces.memberIdsOf(tx, workspace_id))
  const owners = meant.includes('owners') ? new Set(await workspaces.ownersOf(tx, workspace_id)) : new Set<string>()
  const wanted = new Set(meant.map(users.normaliseEmail))
  const found = members.filter(
    ({ id, email }) => meant.includes('members') || owners.has(id) || wanted.has(id) || wanted.has(users.normaliseEmail(email)),
  )
  const known = new Set(['owners', 'members', ...members.flatMap(({ id, email }) => [id, users.normaliseEmail(email)])])
  const strangers = [...wanted].filter((text) => !known.has(text))
  if (strangers.length > 0)
    throw new NodeFailure({
      code: 'mail.not_a_member',
      message: `${strangers.slice(0, 3).join(', ')}: not a member of the workspace. Name an integration to send to others`,
      details: { strangers },
    })
  if (found.length > most_recipients)
    throw new NodeFailure({ code: 'mail.wrong', message: `It goes to ${found.length} members; ${most_recipients} are allowed` })
  return found
}

/** Anybody can register with the address of a stranger, and must not get to write to them by it. */
const isReached = ({ is_active, email_verified }: Member): boolean => is_active && email_verified

/**
 * Puts a mail to each of the members into the post, once for a step however often it is repeated. The product writes them: what a member has a
 * workflow say stands as plain text, above a line that says where it comes from.
 */
export const sendToMembers = async ({ to, subject, text }: Letter, io: NodeIo): Promise<JsonObject> => {
  const { app, workspace_id, execution_id, path } = io
  return app.asSystem('a workflow sends a mail to members', workspace_id).tx(async (tx) => {
    const members = await membersAmong(tx, workspace_id, to)
    const reached = members.filter(isReached)
    if (reached.length === 0)
      throw new NodeFailure({ code: 'mail.not_confirmed', message: 'None of the members who are meant has confirmed their address' })
    const { host } = new URL(tx.use(httpService).url())
    for (const { id: user_id, email } of reached) {
      const written = mail.write({
        subject,
        paragraphs: text.split(/\n{2,}/).filter((paragraph) => paragraph.trim() !== ''),
        notes: [`Sent to ${email} by a workflow of your workspace on ${host}.`],
      })
      const id = derivedId(execution_id, path, user_id)
      await mail.send(tx, { ...written, id, to: email, kind: 'workflows.mail', user_id, workspace_id })
    }
    const rejected = members
      .filter((member) => !isReached(member))
      .map(({ email, is_active }) => ({
        address: email,
        reason: is_active ? 'the address is not confirmed' : 'the account is switched off',
      }))
    return { message_id: null, accepted: reached.map(({ email }) => email), rejected }
  })
}
