import { jobs, jobState } from '../../../engine/jobs.ts'
import type { Ctx } from '../../../platform/context.ts'
import { invalid } from '../../../platform/http/validate.ts'
import { errors } from '../errors.ts'
import { get, workspaceOf } from '../integrations.ts'
import { triggerN8n } from './job.ts'
import type { Handover, Outcome, TriggerWorkflow } from './schema.ts'

/**
 * Has a workflow of n8n started; durable when this resolves. Errors: 404 `integrations.not_found`, 422 `integrations.not_usable` for one
 * of another type.
 */
export const trigger = async (ctx: Ctx, input: TriggerWorkflow): Promise<Handover> => {
  if (input.workflow_id === undefined && input.path === undefined)
    throw invalid([{ path: 'workflow_id', message: 'is required, or `path`' }])
  const { type } = await get(ctx, input.integration_id)
  if (type !== 'n8n') throw errors.not_usable({ detail: `An integration of the type ${type} starts no workflow of n8n.` })
  const { execution_id } = await ctx.use(jobs).start({
    job: triggerN8n,
    workspace_id: workspaceOf(ctx),
    input: { ...input, data: input.data ?? null },
  })
  return outcomeOf(ctx, execution_id)
}

/** How far a start is. Errors: 404 `integrations.handover_not_found`. */
export const outcomeOf = async (ctx: Ctx, execution_id: string): Promise<Handover> => {
  const state = await jobState(ctx, triggerN8n, execution_id)
  if (state === undefined) throw errors.handover_not_found()
  const { status, output, error, started_at, finished_at } = state
  return { execution_id, status, outcome: output as Outcome | null, error, started_at, finished_at }
}
