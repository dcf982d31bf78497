import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'
import type { Approval, Decision, Form } from './schema.ts'

export type ApprovalRow = Omit<Approval, 'decisions' | 'form'> & {
  readonly workspace_id: string
  readonly path: string
  readonly form: Form | null
}

const columns = [
  'id',
  'workspace_id',
  'workflow_id',
  'execution_id',
  'path',
  'node_id',
  'message',
  'form',
  'approvers',
  'needed',
  'status',
  'expires_at',
  'escalates_at',
  'escalated_at',
  'escalations',
  'created_at',
  'decided_at',
] as const

/** False when the step has asked before. */
export const insertApproval = async (
  db: TxDb,
  row: Omit<ApprovalRow, 'status' | 'decided_at' | 'escalated_at' | 'escalations'>,
): Promise<boolean> => {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('workflow_approvals')
    .values({ ...row, approvers: [...row.approvers] })
    .onConflict((conflict) => conflict.columns(['execution_id', 'path']).doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

export const listFor = (
  db: ReadDb,
  user_id: string,
  now: string,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly ApprovalRow[]> =>
  db
    .selectFrom('workflow_approvals')
    .select(columns)
    .where('status', '=', 'open')
    .where(sql<boolean>`approvers @> array[${user_id}]::uuid[]`)
    .where((of) => of.or([of('expires_at', 'is', null), of('expires_at', '>', now)]))
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after as string))
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<ApprovalRow>()
    .execute()

export const approvalById = (db: ReadDb, id: string): Promise<ApprovalRow | undefined> =>
  db.selectFrom('workflow_approvals').select(columns).where('id', '=', id).$castTo<ApprovalRow>().executeTakeFirst()

export const lockApproval = (db: TxDb, id: string): Promise<ApprovalRow | undefined> =>
  db.selectFrom('workflow_approvals').select(columns).where('id', '=', id).forUpdate().$castTo<ApprovalRow>().executeTakeFirst()

/** Of a step; locked. */
export const lockApprovalOf = (db: TxDb, execution_id: string, path: string): Promise<ApprovalRow | undefined> =>
  db
    .selectFrom('workflow_approvals')
    .select(columns)
    .where('execution_id', '=', execution_id)
    .where('path', '=', path)
    .forUpdate()
    .$castTo<ApprovalRow>()
    .executeTakeFirst()

export const escalate = async (
  db: TxDb,
  id: string,
  to: Pick<ApprovalRow, 'approvers' | 'escalates_at' | 'escalated_at' | 'escalations'>,
): Promise<void> => {
  await db
    .updateTable('workflow_approvals')
    .set({ ...to, approvers: [...to.approvers] })
    .where('id', '=', id)
    .execute()
}

export const decisionsOf = async (db: ReadDb, ids: readonly string[]): Promise<ReadonlyMap<string, readonly Decision[]>> => {
  const rows = await db
    .selectFrom('workflow_decisions')
    .select(['approval_id', 'user_id', 'decision', 'comment', 'form', 'created_at'])
    .where(sql<boolean>`approval_id = any(${ids}::uuid[])`)
    .orderBy('created_at')
    .$castTo<Decision & { approval_id: string }>()
    .execute()
  return Map.groupBy(rows, ({ approval_id }) => approval_id)
}

/** False when this user has decided before. */
export const insertDecision = async (
  db: TxDb,
  row: Omit<Decision, 'form'> & { readonly approval_id: string; readonly workspace_id: string; readonly form: object | null },
): Promise<boolean> => {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('workflow_decisions')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

export const close = async (db: TxDb, id: string, status: 'approved' | 'rejected', at: string): Promise<void> => {
  await db.updateTable('workflow_approvals').set({ status, decided_at: at, escalates_at: null }).where('id', '=', id).execute()
}

export const expire = async (db: TxDb, execution_id: string, path: string): Promise<void> => {
  await db
    .updateTable('workflow_approvals')
    .set({ status: 'expired', escalates_at: null })
    .where('execution_id', '=', execution_id)
    .where('path', '=', path)
    .where('status', '=', 'open')
    .execute()
}

export const decisionsBy = (db: ReadDb, user_id: string) =>
  db
    .selectFrom('workflow_decisions')
    .select(['approval_id', 'workspace_id', 'decision', 'comment', 'form', 'created_at'])
    .where('user_id', '=', user_id)
    .orderBy('created_at')
    .execute()
