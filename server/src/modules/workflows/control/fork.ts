import { engine } from '../../../engine/engine.ts'
import { errors as engineErrors } from '../../../engine/errors.ts'
import type { ExecutionView } from '../../../engine/history.ts'
import type { Json } from '../../../lib/json.ts'
import type { Ctx } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import { activeVersion, get } from '../executions.ts'
import { enqueueing } from '../start.ts'
import { type Revised, summary } from '../workflows.ts'

export interface Fork {
  /** Where it goes on; from the start when not given. */
  readonly node_id?: string | undefined
  /** A published version; that of the execution when not given. */
  readonly version?: number | undefined
  /** Instead of the trigger's payload. */
  readonly input?: unknown
}

/**
 * Starts a new execution that takes over what another one had done upstream of a node and goes on from there, on any version into which that fits. It counts in
 * the plan as every start does. `execution_id`: the new one's, where it must be the same however often this is called. Errors: 404
 * `workflows.execution_not_found`, 404 `workflows.version_not_found`, 412, 409 `workflows.not_active`, 409 `workflows.incompatible_version`, 409
 * `workflows.execution_not_forkable`, 402 `plans.limit_reached`.
 */
export const fork = async (
  ctx: Ctx,
  id: string,
  input: Fork,
  { revision = null, execution_id = ctx.newId() }: { readonly revision?: number | null; readonly execution_id?: string } = {},
): Promise<Revised<ExecutionView>> => {
  const before = await get(ctx, id, { payloads: false })
  requireRevision(before, revision)
  activeVersion(await summary(ctx, before.workflow_id))
  if (before.version === 0) throw errors.execution_not_forkable()
  const { node_id = null, version = null } = input
  const plan = await planOf(ctx, { execution_id: id, node_id, version })
  const { problems, kept, payload, ...row } = plan
  if (problems.length > 0) {
    const told = problems.slice(0, 100)
    throw errors.incompatible_version({
      detail: `Version ${plan.version} does not take over what the execution has done${node_id === null ? '' : ` before "${node_id}"`}.`,
      errors: told.map((problem) => ({ path: problem.node_id, message: problem.message })),
      extra: { problems: told.map((problem) => ({ ...problem })) },
    })
  }
  const given = input.input === undefined ? payload : (input.input as Json)
  await enqueueing(ctx, (enqueue) =>
    ctx.tx(async (tx) => {
      const is_new = await enqueue(tx, { ...row, execution_id, payload: given, fork: { from_execution_id: id, node_id, kept } })
      if (!is_new) return
      const { workflow_id, mode } = row
      tx.emit(
        events.executionForked,
        { execution_id, workflow_id, version: row.version, mode, from_execution_id: id, node_id },
        { after: { version: row.version, node_id } },
      )
    }),
  )
  return get(ctx, execution_id, { payloads: false })
}

const planOf = async (ctx: Ctx, request: { execution_id: string; node_id: string | null; version: number | null }) => {
  try {
    const plan = await ctx.use(engine).planFork(ctx, request)
    if (plan === null) throw errors.execution_not_found()
    return plan
  } catch (error) {
    if (error instanceof Problem && error.code === engineErrors.unknown_version.code) throw errors.version_not_found()
    throw error
  }
}
