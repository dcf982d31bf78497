import { NodeFailure, type NodeIo } from '../../../engine/node.ts'
import { iso } from '../../../lib/iso.ts'
import { isJsonObject } from '../../../lib/json.ts'
import type { App, TxCtx } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import * as mail from '../../mail/mail.ts'
import * as users from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import * as events from '../events.ts'
import type { Escalation, Form } from './schema.ts'
import * as store from './store.ts'

/** What a step asks its approvers. */
export interface Question {
  /** Ids or addresses. */
  readonly approvers: readonly string[]
  readonly needed?: number
  readonly form?: Form
  readonly message: string
  /** Unix milliseconds. */
  readonly expires_at: number | null
  readonly escalate?: Escalation
}

interface Asked {
  readonly email: string
  /** Anybody can register with the address of a stranger, and must not get to write to them by it. */
  readonly is_mailed: boolean
}

/** Those members of the workspace who are meant, by their ids. */
const membersAmong = async (tx: TxCtx, workspace_id: string, meant: readonly string[]): Promise<ReadonlyMap<string, Asked>> => {
  const members = await users.byIds(tx, await workspaces.memberIdsOf(tx, workspace_id))
  const wanted = new Set(meant.map((text) => users.normaliseEmail(text.trim())))
  const found = members.filter(({ id, email }) => wanted.has(id) || wanted.has(users.normaliseEmail(email)))
  return new Map(found.map(({ id, email, is_active, email_verified }) => [id, { email, is_mailed: is_active && email_verified }]))
}

/**
 * Asks, and tells the approvers whose addresses are confirmed by mail, once for a step; asks others as well when that is due. Answers when that will be next, Unix milliseconds,
 * or null. Throws a `NodeFailure` when so many members as are needed are not among those who are asked first.
 */
export const ask = (io: NodeIo, question: Question): Promise<number | null> => {
  const { app, workspace_id, execution_id, path } = io
  return app.asSystem('a workflow asks members of its workspace', workspace_id).tx(async (tx) => {
    const row = await store.lockApprovalOf(tx.db, execution_id, path)
    const escalates_at = row === undefined ? await askFirst(tx, io, question) : await escalateIfDue(tx, row, question.escalate)
    return escalates_at === null ? null : Date.parse(escalates_at)
  })
}

const askFirst = async (tx: TxCtx, { workspace_id, execution_id, node_id, path, scope }: NodeIo, question: Question) => {
  const { needed = 1, message, expires_at, escalate } = question
  const approvers = await membersAmong(tx, workspace_id, question.approvers)
  if (approvers.size < needed) {
    const text = `Of those who are asked ${approvers.size} are members of the workspace; ${needed} must approve`
    throw new NodeFailure({ code: 'approval.too_few', message: text })
  }
  const execution = isJsonObject(scope.execution) ? scope.execution : {}
  const id = tx.newId()
  const now = tx.now()
  const escalates_at = escalate === undefined ? null : iso(now + escalate.after_ms)
  const asked = await store.insertApproval(tx.db, {
    ...{ id, workspace_id, workflow_id: execution['workflow_id'] as string, execution_id, path, node_id, message, needed, escalates_at },
    form: question.form ?? null,
    approvers: [...approvers.keys()],
    expires_at: expires_at === null ? null : iso(expires_at),
    created_at: iso(now),
  })
  if (!asked) return escalates_at
  tx.emit(events.approvalRequested, { approval_id: id, execution_id, approvers: [...approvers.keys()], needed }, { after: { needed } })
  for (const [user_id, { email, is_mailed }] of approvers)
    if (is_mailed) await tell(tx, { workspace_id, id, user_id, email, message, expires_at, subject: 'A workflow asks for your decision' })
  return escalates_at
}

/** Asks others, once for each time that it is due: the row is locked, and whoever decides waits for it or has been before. */
const escalateIfDue = async (tx: TxCtx, row: store.ApprovalRow, escalation: Escalation | undefined): Promise<string | null> => {
  const { id, workspace_id, execution_id, message, escalates_at } = row
  if (row.status !== 'open' || escalates_at === null || escalation === undefined) return null
  const now = tx.now()
  if (Date.parse(escalates_at) > now) return escalates_at
  const others = await membersAmong(tx, workspace_id, escalation.to)
  const time = row.escalations + 1
  const next = time <= (escalation.repeat ?? 0) ? iso(now + escalation.after_ms) : null
  const approvers = [...new Set([...row.approvers, ...others.keys()])]
  await store.escalate(tx.db, id, { approvers, escalates_at: next, escalated_at: iso(now), escalations: time })
  const told = { approval_id: id, execution_id, approvers: [...others.keys()], time }
  tx.emit(events.approvalEscalated, told, { before: { approvers: [...row.approvers] }, after: { approvers } })
  const decided = new Set(((await store.decisionsOf(tx.db, [id])).get(id) ?? []).map(({ user_id }) => user_id))
  const expires_at = row.expires_at === null ? null : Date.parse(row.expires_at)
  for (const [user_id, { email, is_mailed }] of others)
    if (is_mailed && !decided.has(user_id))
      await tell(tx, { workspace_id, id, user_id, email, message, expires_at, subject: 'A decision is overdue, and you are asked for it' })
  return next
}

interface Told {
  readonly workspace_id: string
  readonly id: string
  readonly user_id: string
  readonly email: string
  readonly subject: string
  readonly message: string
  readonly expires_at: number | null
}

const tell = async (tx: TxCtx, to: Told): Promise<void> => {
  const url = tx.use(httpService).url()
  const until = to.expires_at === null ? [] : [`It can be decided until ${iso(to.expires_at)}.`]
  const written = mail.write({
    subject: to.subject,
    paragraphs: [to.message, `Decide at ${url}/api/v1/workflows/approvals/${to.id}/decide`, ...until],
    notes: [`Sent to ${to.email} by ${new URL(url).host}.`],
  })
  await mail.send(tx, { ...written, to: to.email, kind: 'workflows.approval', user_id: to.user_id, workspace_id: to.workspace_id })
}

/** Nobody has decided in time. */
export const expire = (
  app: App,
  { workspace_id, execution_id, path }: Pick<NodeIo, 'workspace_id' | 'execution_id' | 'path'>,
): Promise<void> => app.asSystem('an approval has expired', workspace_id).tx((tx) => store.expire(tx.db, execution_id, path))
