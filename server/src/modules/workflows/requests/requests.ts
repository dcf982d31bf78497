import { type ExecutionSummary, type ExecutionView, readExecution } from '../../../engine/history.ts'
import { webhookTrigger } from '../../../engine/nodes/trigger-webhook.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../lib/json.ts'
import type { Ctx } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import * as executions from '../executions.ts'
import { payloadOf, queryOf } from '../hooks/payload.ts'
import { start } from '../start.ts'
import { authorOf, summary, workspaceOf } from '../workflows.ts'
import * as kept from './kept-store.ts'
import type { RequestSummary, WebhookRequest } from './schema.ts'

/** Every call that started something is in the journal of what it started: nothing is kept twice. */
const ofWebhooks = (workflow_id: string) => ({ workflow_id, trigger: webhookTrigger.type })

const summaryOf = ({ id, workflow_id, version, status, trigger, started_at }: ExecutionSummary): RequestSummary => ({
  id,
  workflow_id,
  node_id: trigger.node_id,
  version,
  outcome: 'accepted',
  reason: null,
  status,
  received_at: started_at,
  replayed_as: null,
})

const refusedSummaryOf = ({ id, workflow_id, node_id, version, reason, received_at, replayed_as }: kept.KeptSummary): RequestSummary => ({
  ...{ id, workflow_id, node_id, version, reason, received_at, replayed_as },
  outcome: 'refused',
  status: null,
})

type Page = Parameters<typeof executions.list>[2]

/** Those that started something. Errors: 404 `workflows.not_found`. */
export const list = async (
  ctx: Ctx,
  workflow_id: string,
  page: Page,
): Promise<{ readonly requests: readonly RequestSummary[]; readonly go_on_after: string | null }> => {
  const { executions: found, go_on_after } = await executions.list(ctx, ofWebhooks(workflow_id), page)
  return { requests: found.map(summaryOf), go_on_after }
}

export const count = (ctx: Ctx, workflow_id: string): Promise<number> => executions.count(ctx, ofWebhooks(workflow_id))

/** Those that started nothing, where the trigger keeps them. Errors: 404 `workflows.not_found`. */
export const listRefused = async (
  ctx: Ctx,
  workflow_id: string,
  page: Page,
): Promise<{ readonly requests: readonly RequestSummary[]; readonly go_on_after: string | null }> => {
  const [rows] = await Promise.all([kept.listRefused(ctx.db, workflow_id, page), summary(ctx, workflow_id)])
  return { requests: rows.map(refusedSummaryOf), go_on_after: null }
}

export const countRefused = (ctx: Ctx, workflow_id: string): Promise<number> => kept.countRefused(ctx.db, workflow_id)

/** A call as it can be shown and repeated. */
interface Known {
  readonly summary: RequestSummary
  /** Null where it could not be read. */
  readonly payload: JsonObject | null
  readonly row: kept.KeptRow | undefined
}

const readRow = (row: kept.KeptRow): JsonObject | null => {
  const body = Buffer.from(row.body, 'base64')
  if (body.length < row.bytes) return null
  try {
    const headers = row.headers as { readonly [name: string]: string }
    return payloadOf({ method: row.method, headers, query: row.query, body }, row.path, null, row.id) as JsonObject
  } catch (error) {
    if (error instanceof Problem) return null
    throw error
  }
}

const read = async (ctx: Ctx, workflow_id: string, id: string): Promise<Known> => {
  const [execution, row] = await Promise.all([readExecution(ctx, id, { payloads: false }), kept.keptById(ctx.db, workflow_id, id)])
  if (execution !== undefined && execution.workflow_id === workflow_id && execution.trigger.type === webhookTrigger.type) {
    const payload = execution.input as Json
    return { summary: summaryOf(execution), payload: isJsonObject(payload) ? payload : {}, row }
  }
  // One that was taken goes with its execution.
  if (row === undefined || row.outcome === 'accepted') throw errors.request_not_found()
  return { summary: refusedSummaryOf(row), payload: readRow(row), row }
}

const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

/** Errors: 404 `workflows.request_not_found`. */
export const get = async (ctx: Ctx, workflow_id: string, id: string): Promise<WebhookRequest> => {
  const { summary: shown, payload, row } = await read(ctx, workflow_id, id)
  const unread = row === undefined ? {} : { method: row.method, path: row.path, headers: row.headers, query: queryOf(row.query) }
  const { replay_of, method, path, headers, query, body }: JsonObject = payload ?? unread
  return {
    ...shown,
    replay_of: typeof replay_of === 'string' ? replay_of : null,
    method: textOf(method),
    path: textOf(path),
    headers: objectOf(headers),
    query: objectOf(query),
    body: body ?? null,
    raw_body: row === undefined ? null : row.body,
  }
}

/**
 * Starts the published version at the webhook that the request came to, with what came then and `replay_of`; also with one that was refused,
 * which the caller answers for. Resolves when the execution is durable. Errors: 404 `workflows.not_found`, 404 `workflows.request_not_found`,
 * 409 `workflows.not_active`, 409 `workflows.request_not_replayable`, 402 `plans.limit_reached`.
 */
export const replay = async (ctx: Ctx, workflow_id: string, id: string): Promise<ExecutionView> => {
  const workflow = await summary(ctx, workflow_id)
  const { summary: request, payload } = await read(ctx, workflow_id, id)
  const version = executions.activeVersion(workflow)
  const { node_id, outcome } = request
  if (payload === null) throw errors.request_not_replayable({ detail: 'Its body could not be read, or is not kept whole.' })
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
  const { execution_id } = running
  await ctx.tx(async (tx) => {
    if (outcome === 'refused') await kept.noteReplay(tx.db, id, execution_id, authorOf(tx))
    const told = { workflow_id, request_id: id, execution_id, outcome, reason: request.reason }
    tx.emit(events.requestReplayed, told, { after: { outcome, reason: request.reason } })
  })
  return executions.get(ctx, execution_id, { payloads: false })
}
