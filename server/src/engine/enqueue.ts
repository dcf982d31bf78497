import type { TxCtx } from '../platform/context.ts'
import type { EnqueueExecution } from './contract.ts'
import type { RecordBody, Standing } from './journal/record.ts'

/** Writes an execution that nobody holds yet, with the record it begins with. False when there is one of this id. */
export const insertQueued = async (tx: TxCtx, input: EnqueueExecution, standing: Standing | null): Promise<boolean> => {
  const { execution_id, workspace_id, workflow_id, version, mode, trigger_type, trigger_node_id, payload, fork } = input
  const at = tx.now()
  const { numInsertedOrUpdatedRows } = await tx.db
    .insertInto('executions')
    .values({
      ...{ id: execution_id, workspace_id, workflow_id, version, mode, status: 'queued', trigger_type, trigger_node_id },
      started_at: new Date(at).toISOString(),
      ...(standing === null ? {} : columnsOf(standing)),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows !== 1n) return false
  const body: RecordBody = { at, trigger: { node_id: trigger_node_id, payload }, steps: fork?.kept ?? [] }
  await tx.db
    .insertInto('execution_records')
    .values({ execution_id, seq: 0, workspace_id, body: { ...body } })
    .execute()
  if (fork !== undefined) {
    const { from_execution_id, node_id } = fork
    await tx.db.insertInto('engine_forks').values({ execution_id, workspace_id, from_execution_id, node_id }).execute()
  }
  return true
}

const columnsOf = ({ priority, in_line }: Standing) =>
  in_line === null ? { priority } : { priority, line: in_line.line, rate_key: in_line.rate_key, wake_at: in_line.until }
