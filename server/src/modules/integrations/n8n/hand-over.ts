import { setTimeout as pause } from 'node:timers/promises'
import { retryAfter } from '../../../engine/nodes/http-answer.ts'
import { NodeFailure } from '../../../engine/node.ts'
import { isJsonObject, type Json } from '../../../lib/json.ts'
import { signWebhook } from '../../../lib/standard-webhooks.ts'
import type { App } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { outbound, type OutboundRequest, type OutboundResponse } from '../../../platform/outbound/outbound.ts'
import { asFailure } from '../credential.ts'
import { errors } from '../errors.ts'
import { type Opened, openForUse } from '../opened.ts'
import { formsOf, scrubbed } from '../scrub.ts'
import { below } from '../type.ts'
import { findRun, findWebhook, parsed, type Run, type Webhook } from './api.ts'
import type { Outcome } from './schema.ts'

/** One start of an n8n workflow, the same for every attempt at it. */
export interface HandOver {
  readonly integration_id: string
  readonly workflow_id?: string | undefined
  readonly path?: string | undefined
  readonly event: string
  readonly data: Json
  readonly callback_url?: string | undefined
  readonly test?: boolean | undefined
  readonly timeout_ms: number
}

export interface HandOverIo {
  readonly app: App
  readonly workspace_id: string
  readonly execution_id: string
  readonly attempt: number
  /** Sent as `Idempotency-Key`, and what an execution of n8n is found by. */
  readonly key: string
  readonly signal: AbortSignal
}

/** How long n8n may take to show an execution whose start it did not confirm. */
const looks_ms = [0, 500, 1_500, 3_000]

/**
 * Starts a workflow of n8n through its webhook, as n8n means it to be started from outside: its public API has no call for it. Answers what
 * came of it; a `NodeFailure` that may be retried means that n8n has surely not begun. An answer that never came is not asked for again,
 * because nobody knows whether the workflow runs: n8n's list of executions is asked instead.
 */
export const handOver = async (input: HandOver, io: HandOverIo): Promise<Outcome> => {
  const opened = await openN8n(io, input.integration_id)
  if (io.attempt > 1) {
    const run = await findRun(io.app, opened, { workflow_id: input.workflow_id, key: io.key }, io.signal)
    if (run !== null) return found(run)
  }
  const webhook = await webhookOf(input, opened, io)
  const sent = await send(input, opened, webhook, io)
  if (sent === null) return await lookedUp(input, opened, io)
  return judged(sent, webhook, input.test === true, io.app.now())
}

const openN8n = async ({ app, workspace_id }: HandOverIo, id: string): Promise<Opened> => {
  try {
    const opened = await openForUse(app.asSystem('hand work over to n8n', workspace_id), id)
    if (opened.type.type !== 'n8n')
      throw errors.not_usable({ detail: `An integration of the type ${opened.type.type} starts no workflow of n8n.` })
    return opened
  } catch (error) {
    throw asFailure(error)
  }
}

const webhookOf = async ({ path, workflow_id }: HandOver, opened: Opened, { app, signal }: HandOverIo): Promise<Webhook> => {
  const known = opened.row.config['workflows'] as { readonly [id: string]: string } | undefined
  const given = path ?? (workflow_id !== undefined && known && Object.hasOwn(known, workflow_id) ? known[workflow_id] : undefined)
  if (given !== undefined) return { path: given, answers: null }
  if (workflow_id === undefined) throw new NodeFailure({ code: 'n8n.no_webhook', message: 'Neither a workflow nor a path is named' })
  return findWebhook(app, opened, workflow_id, signal)
}

const urlOf = ({ config }: Opened['row'], path: string, test: boolean): string => {
  const segments = path.split('/').filter((segment) => segment !== '')
  if (segments.length === 0 || segments.some((segment) => segment === '.' || segment === '..'))
    throw new NodeFailure({ code: 'n8n.no_webhook', message: 'This is not the path of a webhook' })
  const base = String(config['webhook_url'] ?? config['base_url'])
  return below(base, `/${test ? 'webhook-test' : 'webhook'}/${segments.map(encodeURIComponent).join('/')}`)
}

const requestOf = (input: HandOver, { row, credentials }: Opened, { path }: Webhook, io: HandOverIo): OutboundRequest => {
  const { event, data, callback_url = null } = input
  const body = JSON.stringify({ event, data, callback_url })
  const seconds = Math.floor(io.app.now() / 1000)
  const { signing_secret, webhook_token } = credentials
  const header = row.config['webhook_header']
  return {
    method: 'POST',
    url: urlOf(row, path, input.test === true),
    headers: {
      'content-type': 'application/json',
      'idempotency-key': io.key,
      'x-millrace-execution-id': io.execution_id,
      'webhook-id': io.key,
      'webhook-timestamp': String(seconds),
      ...(signing_secret === undefined ? {} : { 'webhook-signature': signWebhook(signing_secret, io.key, seconds, body) }),
      ...(typeof header === 'string' && webhook_token !== undefined ? { [header.toLowerCase()]: webhook_token } : {}),
    },
    body,
    timeout_ms: input.timeout_ms,
    max_redirects: 0,
    signal: io.signal,
  }
}

/** After these the request may have arrived. */
const unsure = new Set(['outbound.timeout', 'outbound.connection_lost', 'outbound.bad_response', 'outbound.too_large', 'outbound.aborted'])

/** The answer of the webhook without our credentials; null when nobody knows whether the request arrived. */
const send = async (input: HandOver, opened: Opened, webhook: Webhook, io: HandOverIo): Promise<OutboundResponse | null> => {
  try {
    const answer = await io.app.use(outbound).request(requestOf(input, opened, webhook, io))
    // Of a gateway that has lost its n8n.
    if (answer.status === 502 || answer.status === 504) return null
    return scrubbed(answer, formsOf(opened.credentials, {}))
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    if (unsure.has(error.code)) return null
    const retryable = error.code === 'outbound.connect_failed' || error.code === 'outbound.busy'
    throw new NodeFailure({ code: error.code, message: error.message, retryable })
  }
}

const found = ({ id, outcome }: Run): Outcome => ({ outcome, status: null, n8n_execution_id: id, body: null, detail: null })

const lookedUp = async ({ workflow_id }: HandOver, opened: Opened, { app, key, signal }: HandOverIo): Promise<Outcome> => {
  for (const ms of opened.credentials['api_key'] === undefined ? [] : looks_ms) {
    await pause(ms, undefined, { signal })
    const run = await findRun(app, opened, { workflow_id, key }, signal)
    if (run !== null) return found(run)
  }
  const detail = 'No answer came, and n8n does not show whether the workflow was started. It is not started again.'
  return { outcome: 'unknown', status: null, n8n_execution_id: null, body: null, detail }
}

const not_active = {
  live: 'Nothing listens at this webhook: activate the workflow in n8n, or try it with `test`.',
  test: 'Nothing listens at the test webhook: press "Listen for test event" in the editor of n8n, and call within two minutes.',
}

const judged = (answer: OutboundResponse, { answers }: Webhook, test: boolean, now: number): Outcome => {
  const { status } = answer
  const body = parsed(answer)
  const base = { status, n8n_execution_id: null, body, detail: null }
  if (status === 429 || status === 503) {
    const after = retryAfter(answer, now)
    const message = `n8n answered ${status}: it takes nothing on at the moment`
    throw new NodeFailure({ code: 'n8n.busy', message, retryable: true, ...(after === null ? {} : { retry_after_ms: after }) })
  }
  if (status === 404) return { ...base, outcome: 'not_active', detail: test ? not_active.test : not_active.live }
  if (status === 401 || status === 403)
    return { ...base, outcome: 'refused', detail: 'The webhook asks for credentials that the integration does not have.' }
  if (status >= 200 && status < 300) {
    const started = isJsonObject(body) && body['message'] === 'Workflow was started'
    return { ...base, outcome: (answers ?? !started) ? 'succeeded' : 'accepted' }
  }
  return { ...base, outcome: 'failed', detail: status >= 500 ? 'The workflow failed.' : `The webhook answered ${status}.` }
}
