import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface SubscriptionRow {
  readonly workflow_id: string
  readonly node_id: string
  readonly workspace_id: string
  readonly version: number
  readonly kind: 'event' | 'failure'
  readonly event: string | null
  readonly condition: string | null
  readonly workflow_ids: readonly string[] | null
}

const columns = ['workflow_id', 'node_id', 'workspace_id', 'version', 'kind', 'event', 'condition', 'workflow_ids'] as const

export const insertSubscriptions = async (db: TxDb, rows: readonly SubscriptionRow[]): Promise<void> => {
  if (rows.length === 0) return
  await db
    .insertInto('workflow_subscriptions')
    .values(rows.map((row) => ({ ...row, workflow_ids: row.workflow_ids === null ? null : [...row.workflow_ids] })))
    .execute()
}

export const deleteSubscriptions = async (db: TxDb, workflow_id: string): Promise<void> => {
  await db.deleteFrom('workflow_subscriptions').where('workflow_id', '=', workflow_id).execute()
}

/** In the system's scope: everything that workflows of these workspaces listen to. */
export const subscriptionsOf = (db: ReadDb, workspace_ids: readonly string[]): Promise<readonly SubscriptionRow[]> =>
  db
    .selectFrom('workflow_subscriptions')
    .select(columns)
    .where(sql<boolean>`workspace_id = any(${workspace_ids}::uuid[])`)
    .orderBy('workflow_id')
    .orderBy('node_id')
    .$castTo<SubscriptionRow>()
    .execute()

/** An execution that failed, with what its version says of that. */
export interface FailedRow {
  readonly id: string
  readonly workflow_id: string
  readonly workflow_name: string | null
  readonly version: number
  readonly status: string
  readonly error: { readonly code: string; readonly message: string; readonly node_id: string | null } | null
  readonly trigger_type: string
  readonly trigger_node_id: string
  readonly started_at: string
  readonly finished_at: string
  readonly error_workflow_id: string | null
}

export const failedExecutions = (db: ReadDb, ids: readonly string[]): Promise<readonly FailedRow[]> =>
  db
    .selectFrom('executions as e')
    .leftJoin('workflows as w', 'w.id', 'e.workflow_id')
    .leftJoin('workflow_versions as v', (join) => join.onRef('v.workflow_id', '=', 'e.workflow_id').onRef('v.version', '=', 'e.version'))
    .select([
      'e.id',
      'e.workflow_id',
      'w.name as workflow_name',
      'e.version',
      'e.status',
      'e.error',
      'e.trigger_type',
      'e.trigger_node_id',
      'e.started_at',
      'e.finished_at',
      sql<string | null>`v.definition #>> '{settings,error_workflow_id}'`.as('error_workflow_id'),
    ])
    .where(sql<boolean>`e.id = any(${ids}::uuid[])`)
    .where('e.trigger_type', '<>', 'trigger.failure')
    .$castTo<FailedRow>()
    .execute()

/** Which of these workflows there are in the caller's workspace, and whether a failure can start them. */
export const knownWorkflows = async (
  db: ReadDb,
  ids: readonly string[],
): Promise<ReadonlyMap<string, { readonly takes_failures: boolean }>> => {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('workflows as w')
    .select([
      'w.id',
      sql<boolean>`exists (select from workflow_subscriptions as s where s.workflow_id = w.id and s.kind = 'failure')`.as('takes_failures'),
    ])
    .where(sql<boolean>`w.id = any(${ids}::uuid[])`)
    .execute()
  return new Map(rows.map(({ id, takes_failures }) => [id, { takes_failures }]))
}
