import { NodeFailure, type NodeIo } from '../../../engine/node.ts'
import { isJsonObject } from '../../../lib/json.ts'
import type { App, TxCtx } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import * as mail from '../../mail/mail.ts'
import * as users from '../../users/users.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import * as events from '../events.ts'
import type { Form } from './schema.ts'
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
}

const iso = (ms: number): string => new Date(ms).toISOString()

/** Those members of the workspace who are meant, with their addresses. */
const membersAmong = async (tx: TxCtx, workspace_id: string, meant: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const emails = await users.emailsOf(tx, await workspaces.memberIdsOf(tx, workspace_id))
  const wanted = new Set(meant.map((text) => users.normaliseEmail(text.trim())))
  return new Map([...emails].filter(([id, email]) => wanted.has(id) || wanted.has(users.normaliseEmail(email))))
}

/** Asks, and tells the approvers by mail, once for a step. Throws a `NodeFailure` when so many members as are needed are not among them. */
export const ask = (io: NodeIo, question: Question): Promise<void> => {
  const { app, workspace_id, execution_id, node_id, path, scope } = io
  return app.asSystem('a workflow asks members of its workspace', workspace_id).tx(async (tx) => {
    const { needed = 1, message, expires_at } = question
    const approvers = await membersAmong(tx, workspace_id, question.approvers)
    if (approvers.size < needed) {
      const text = `Of those who are asked ${approvers.size} are members of the workspace; ${needed} must approve`
      throw new NodeFailure({ code: 'approval.too_few', message: text })
    }
    const execution = isJsonObject(scope.execution) ? scope.execution : {}
    const id = tx.newId()
    const asked = await store.insertApproval(tx.db, {
      ...{ id, workspace_id, workflow_id: execution['workflow_id'] as string, execution_id, path, node_id, message, needed },
      form: question.form ?? null,
      approvers: [...approvers.keys()],
      expires_at: expires_at === null ? null : iso(expires_at),
      created_at: iso(tx.now()),
    })
    if (!asked) return
    tx.emit(events.approvalRequested, { approval_id: id, execution_id, approvers: [...approvers.keys()], needed }, { after: { needed } })
    for (const [user_id, email] of approvers) await tell(tx, { workspace_id, id, user_id, email, message, expires_at })
  })
}

const tell = async (
  tx: TxCtx,
  to: { workspace_id: string; id: string; user_id: string; email: string; message: string; expires_at: number | null },
): Promise<void> => {
  const url = tx.use(httpService).url()
  const until = to.expires_at === null ? [] : [`It can be decided until ${iso(to.expires_at)}.`]
  const written = mail.write({
    subject: 'A workflow asks for your decision',
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
