import type { Finished, Running } from '../../../engine/engine.ts'
import { hops_field, most_hops } from '../../../engine/hops.ts'
import type { FormConfig } from '../../../engine/nodes/trigger-form.ts'
import type { JsonObject } from '../../../lib/json.ts'
import { networkOf } from '../../../lib/network.ts'
import { counters } from '../../../platform/counters/counters.ts'
import type { App } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { hops_header, readHops } from '../../../platform/http/hops.ts'
import type { RawRequest } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { keyFor } from '../hooks/deliveries.ts'
import type { Hook } from '../hooks/table.ts'
import { following, startOnce } from '../once.ts'
import { settings } from '../settings.ts'
import { start } from '../start.ts'
import { token_life_ms } from './tokens.ts'

/** A form that is there, as a request names it. */
export interface OpenForm {
  readonly hook: Hook
  readonly form: FormConfig
}

const minute_s = 60

/** Counts a submission of an address. Rejects with 429 `http.rate_limited`. */
export const countSubmission = async (app: App, { hook, form }: OpenForm, request: RawRequest): Promise<void> => {
  const quota = app.settings(settings).form_submissions_per_minute
  const counter = app.use(counters).counter('workflows.form', minute_s)
  const { used, reset_ms } = await counter.add(`${hook.workspace_id}/${form.path}|${networkOf(request.ip)}`)
  if (used <= quota) return
  const seconds = Math.max(1, Math.ceil(reset_ms / 1_000))
  throw httpErrors.rate_limited({
    detail: `Try again in ${seconds} seconds.`,
    headers: { 'retry-after': String(seconds) },
    extra: { 'violated-policies': ['form'] },
  })
}

/**
 * Starts the workflow of a form, once for a `key` and these values; null: each call stands for itself. Resolves when the execution is durable.
 * Errors: 409 `workflows.hook_loop`, and as `start`.
 */
export const submit = async (
  app: App,
  { hook, form }: OpenForm,
  { values, key, request }: { readonly values: JsonObject; readonly key: string | null; readonly request: RawRequest },
): Promise<Running> => {
  const { workspace_id, workflow_id, version, node_id } = hook
  const hops = readHops(request.headers[hops_header])
  if (hops >= most_hops) throw errors.hook_loop()
  const now = app.now()
  const submitted = { fields: values, submitted_at: new Date(now).toISOString(), form: form.path }
  const payload = hops === 0 ? submitted : { ...submitted, [hops_field]: hops }
  const input = { workspace_id, workflow_id, version, mode: 'live', trigger_node_id: node_id, payload } as const
  if (key !== null) {
    // Who goes back and changes an answer sends something else.
    const once = { key: keyFor('form', node_id, key, JSON.stringify(values)), until: now + token_life_ms }
    const begun = await startOnce(app, { ...input, once })
    return begun.first ? begun.running : following(app, workspace_id, begun.execution_id)
  }
  const running = await start(app, input)
  await running.accepted
  return running
}

/** How an execution ended; null when that is not known within the time that a caller waits. */
export const endInTime = async (app: App, running: Running): Promise<Finished | null> => {
  const { promise, resolve } = Promise.withResolvers<null>()
  const timer = setTimeout(() => resolve(null), app.settings(settings).hook_wait_ms)
  try {
    return await Promise.race([running.finished, promise])
  } finally {
    clearTimeout(timer)
  }
}
