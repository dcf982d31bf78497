import { NodeFailure } from '../../../engine/node.ts'
import { parseJsonText } from '../../../lib/json-text.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../lib/json.ts'
import type { App } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { outbound, type OutboundResponse } from '../../../platform/outbound/outbound.ts'
import type { Opened } from '../opened.ts'
import { below } from '../type.ts'

const max_bytes = 16 * 1024 * 1024

/** Where a workflow listens. `answers`: its webhook replies when the workflow has run. Null: n8n did not say. */
export interface Webhook {
  readonly path: string
  readonly answers: boolean | null
}

export interface Run {
  readonly id: string
  readonly outcome: 'accepted' | 'succeeded' | 'failed'
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null)

export const parsed = (answer: OutboundResponse): Json => {
  const text = answer.body.toString()
  if (text === '') return null
  try {
    return parseJsonText(text, 128)
  } catch (error) {
    if (error instanceof SyntaxError) return text.replaceAll('\0', '')
    throw error
  }
}

const ask = async (app: App, { row, credentials }: Opened, path: string, signal: AbortSignal): Promise<OutboundResponse> => {
  const url = below(String(row.config['base_url']), `/api/v1${path}`)
  const headers = { 'x-n8n-api-key': credentials['api_key'] ?? '', accept: 'application/json' }
  return app.use(outbound).request({ method: 'GET', url, headers, max_bytes, max_redirects: 0, timeout_ms: 15_000, signal })
}

/** The webhook of a workflow, by the public API (`GET /workflows/{id}`). */
export const findWebhook = async (app: App, opened: Opened, workflow_id: string, signal: AbortSignal): Promise<Webhook> => {
  if (opened.credentials['api_key'] === undefined)
    throw new NodeFailure({
      code: 'n8n.no_webhook',
      message: 'Without an API key or a path in the integration, no webhook is known for this workflow',
    })
  const answer = await ask(app, opened, `/workflows/${workflow_id}`, signal).catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error
    throw new NodeFailure({ code: error.code, message: error.message, retryable: error.declaration.status >= 500 })
  })
  if (answer.status !== 200)
    throw new NodeFailure({
      code: answer.status === 404 ? 'n8n.no_workflow' : 'n8n.api',
      message: answer.status === 404 ? 'n8n has no such workflow' : `The API of n8n answered ${answer.status}`,
      retryable: answer.status === 429 || answer.status >= 500,
    })
  return webhookIn(parsed(answer))
}

const webhookIn = (workflow: Json): Webhook => {
  const nodes = isJsonObject(workflow) && Array.isArray(workflow['nodes']) ? workflow['nodes'].filter(isJsonObject) : []
  const hooks = nodes.filter((node) => node['type'] === 'n8n-nodes-base.webhook' && node['disabled'] !== true)
  const post = hooks.find(({ parameters }) => isJsonObject(parameters) && [parameters['httpMethod']].flat().includes('POST'))
  const parameters = post?.['parameters'] as JsonObject | undefined
  const path = textOf(parameters?.['path'])
  if (parameters === undefined || path === null || path.includes(':'))
    throw new NodeFailure({
      code: 'n8n.no_webhook',
      message: hooks.length === 0 ? 'The workflow has no webhook' : 'The workflow has no webhook that takes POST at a fixed path',
    })
  return { path, answers: parameters['responseMode'] !== undefined && parameters['responseMode'] !== 'onReceived' }
}

const ends: { readonly [status: string]: Run['outcome'] | undefined } = {
  success: 'succeeded',
  error: 'failed',
  crashed: 'failed',
  canceled: 'failed',
}

/**
 * The execution that a request started, among the last ones: it holds the request's key with the headers that its webhook got. Null when
 * there is none, or no way to ask.
 */
export const findRun = async (
  app: App,
  opened: Opened,
  sought: { readonly workflow_id: string | undefined; readonly key: string },
  signal: AbortSignal,
): Promise<Run | null> => {
  if (opened.credentials['api_key'] === undefined) return null
  const query = new URLSearchParams({ limit: '20', includeData: 'true', ...(sought.workflow_id && { workflowId: sought.workflow_id }) })
  try {
    const answer = await ask(app, opened, `/executions?${query.toString()}`, signal)
    const list = answer.status === 200 ? parsed(answer) : null
    const runs = isJsonObject(list) && Array.isArray(list['data']) ? list['data'].filter(isJsonObject) : []
    const run = runs.find((one) => JSON.stringify(one).includes(sought.key))
    const id = textOf(run?.['id'])
    return run === undefined || id === null ? null : { id, outcome: ends[textOf(run['status']) ?? ''] ?? 'accepted' }
  } catch (error) {
    // Whether it ran is what we wanted to know; that n8n does not say is an answer.
    if (error instanceof Problem) return null
    throw error
  }
}
