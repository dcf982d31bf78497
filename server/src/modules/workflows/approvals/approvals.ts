import { engine } from '../../../engine/engine.ts'
import { settleIn } from '../../../engine/waits/settle-in.ts'
import type { Json } from '../../../lib/json.ts'
import type { Ctx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import { authorOf, nowOf } from '../workflows.ts'
import { formMistakes } from './form.ts'
import type { Approval, Decision, NewDecision } from './schema.ts'
import * as store from './store.ts'

const callerOf = (ctx: Ctx): string => {
  const user_id = authorOf(ctx)
  if (user_id === null) throw httpErrors.forbidden()
  return user_id
}

const shown = ({ workspace_id: _, path: __, ...row }: store.ApprovalRow, decisions: readonly Decision[] = []): Approval => ({
  ...row,
  decisions: decisions.map(({ user_id, decision, comment, form, created_at }) => ({ user_id, decision, comment, form, created_at })),
})

/** What waits for the caller's decision, theirs that were given already included while others are missing. */
export const mine = async (ctx: Ctx, page: Parameters<typeof store.listFor>[3]): Promise<readonly Approval[]> => {
  const rows = await store.listFor(ctx.db, callerOf(ctx), nowOf(ctx), page)
  const decisions = await store.decisionsOf(
    ctx.db,
    rows.map(({ id }) => id),
  )
  return rows.map((row) => shown(row, decisions.get(row.id)))
}

/** Errors: 404 `workflows.approval_not_found`. */
export const get = async (ctx: Ctx, id: string): Promise<Approval> => {
  const [row, decisions] = await Promise.all([store.approvalById(ctx.db, id), store.decisionsOf(ctx.db, [id])])
  if (row === undefined) throw errors.approval_not_found()
  return shown(row, decisions.get(id))
}

/** Approved when enough approve; rejected once so many have rejected that not enough are left; null while neither. */
const outcomeOf = ({ approvers, needed }: store.ApprovalRow, decisions: readonly Decision[]): 'approved' | 'rejected' | null => {
  const rejected = decisions.filter(({ decision }) => decision === 'reject').length
  if (decisions.length - rejected >= needed) return 'approved'
  return approvers.length - rejected < needed ? 'rejected' : null
}

/**
 * The caller's word, once. The one that decides lets the execution go on, in the same transaction. Errors: 404
 * `workflows.approval_not_found`, also for who is not asked; 409 `workflows.approval_closed`, 409 `workflows.decided_already`, 422 for a form
 * that does not fit.
 */
export const decide = (ctx: Ctx, id: string, input: NewDecision): Promise<Approval> =>
  ctx.tx(async (tx) => {
    const user_id = callerOf(tx)
    const row = await store.lockApproval(tx.db, id)
    if (row === undefined || !row.approvers.includes(user_id)) throw errors.approval_not_found()
    const { workspace_id, execution_id, path, expires_at } = row
    // What this process remembers of who belongs to the workspace may be a second old.
    if (!(await workspaces.memberIdsOf(tx, workspace_id)).includes(user_id)) throw errors.approval_not_found()
    if (row.status !== 'open' || (expires_at !== null && Date.parse(expires_at) <= tx.now())) throw errors.approval_closed()
    const mistakes = formMistakes(input.decision === 'approve' ? row.form : row.form && { ...row.form, required: [] }, input.form ?? {})
    if (mistakes.length > 0) throw httpErrors.validation_failed({ errors: [...mistakes] })
    const given = { decision: input.decision, comment: input.comment ?? null, form: input.form ?? null }
    if (!(await store.insertDecision(tx.db, { approval_id: id, workspace_id, user_id, ...given, created_at: nowOf(tx) })))
      throw errors.decided_already()
    const decisions = (await store.decisionsOf(tx.db, [id])).get(id) ?? []
    const outcome = outcomeOf(row, decisions)
    if (outcome !== null) {
      const output = { decision: outcome, decisions: shown(row, decisions).decisions } as unknown as Json
      if (!(await settleIn(tx.db, { execution_id, path, output, port: outcome }, tx.now()))) throw errors.approval_closed()
      await store.close(tx.db, id, outcome, nowOf(tx))
      tx.afterCommit(() => tx.use(engine).bring(execution_id))
    }
    tx.emit(
      events.approvalDecided,
      { approval_id: id, execution_id, decision: input.decision, outcome },
      { after: { decision: input.decision, outcome } },
    )
    const settled = outcome === null ? {} : { status: outcome, decided_at: nowOf(tx), escalates_at: null }
    return shown({ ...row, ...settled }, decisions)
  })

/** Everything that somebody has decided; in the system's scope. */
export const decisionsBy = (ctx: Ctx, user_id: string) => store.decisionsBy(ctx.db, user_id)
