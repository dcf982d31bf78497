import { type ExecutionSummary, type ExecutionView, readExecution } from '../../../engine/history.ts'
import { webhookTrigger } from '../../../engine/nodes/trigger-webhook.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../lib/json.ts'
import type { Ctx } from '../../../platform/context.ts'
import { errors } from '../errors.ts'
import * as executions from '../executions.ts'
import { start } from '../start.ts'
import { summary, workspaceOf } from '../workflows.ts'
import type { RequestSummary, WebhookRequest } from './schema.ts'

/** Every call that started something is in the journal of what it started: nothing is kept twice. */
const ofWebhooks = (workflow_id: string) => ({ workflow_id, trigger: webhookTrigger.type })

const summaryOf = ({ id, workflow_id, version, status, trigger, started_at }: ExecutionSummary): RequestSummary => ({
  id,
  workflow_id,
  node_id: trigger.node_id,
  version,
  status,
  received_at: started_at,
})

/** Errors: 404 `workflows.not_found`. */
export const list = async (
  ctx: Ctx,
  workflow_id: string,
  page: Parameters<typeof executions.list>[2],
): Promise<{ readonly requests: readonly RequestSummary[]; readonly go_on_after: string | null }> => {
  const { executions: found, go_on_after } = await executions.list(ctx, ofWebhooks(workflow_id), page)
  return { requests: found.map(summaryOf), go_on_after }
}

export const count = (ctx: Ctx, workflow_id: string): Promise<number> => executions.count(ctx, ofWebhooks(workflow_id))

const read = async (
  ctx: Ctx,
  workflow_id: string,
  id: string,
): Promise<{ readonly execution: ExecutionView; readonly payload: JsonObject }> => {
  const execution = await readExecution(ctx.db, id, { payloads: false })
  if (execution === undefined || execution.workflow_id !== workflow_id || execution.trigger.type !== webhookTrigger.type)
    throw errors.request_not_found()
  const payload = execution.input as Json
  return { execution, payload: isJsonObject(payload) ? payload : {} }
}

const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

/** Errors: 404 `workflows.request_not_found`. */
export const get = async (ctx: Ctx, workflow_id: string, id: string): Promise<WebhookRequest> => {
  const { execution, payload } = await read(ctx, workflow_id, id)
  const { replay_of } = payload
  return {
    ...summaryOf(execution),
    replay_of: typeof replay_of === 'string' ? replay_of : null,
    method: textOf(payload['method']),
    path: textOf(payload['path']),
    headers: objectOf(payload['headers']),
    query: objectOf(payload['query']),
    body: payload['body'] ?? null,
  }
}

/**
 * Starts the published version at the webhook that the request came to, with what came then and `replay_of`. Resolves when the execution
 * is durable. Errors: 404 `workflows.not_found`, 404 `workflows.request_not_found`, 409 `workflows.not_active`, 409
 * `workflows.request_not_replayable`, 402 `plans.limit_reached`.
 */
export const replay = async (ctx: Ctx, workflow_id: string, id: string): Promise<ExecutionView> => {
  const workflow = await summary(ctx, workflow_id)
  const { execution, payload } = await read(ctx, workflow_id, id)
  const version = executions.activeVersion(workflow)
  const { node_id } = execution.trigger
  if (!workflow.triggers.some((trigger) => trigger.node_id === node_id && trigger.type === webhookTrigger.type))
    throw errors.request_not_replayable()
  const running = await start(ctx, {
    workspace_id: workspaceOf(ctx),
    workflow_id,
    version,
    mode: 'live',
    trigger_node_id: node_id,
    payload: { ...payload, replay_of: id },
  })
  await running.accepted
  return executions.get(ctx, running.execution_id, { payloads: false })
}
