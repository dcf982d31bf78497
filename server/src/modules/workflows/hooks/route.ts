import type { Once, StartExecution } from '../../../engine/contract.ts'
import type { Finished, Running } from '../../../engine/engine.ts'
import { most_hops } from '../../../engine/hops.ts'
import { hops_header, readHops } from '../../../platform/http/hops.ts'
import type { HttpReply } from '../../../engine/node.ts'
import { isJsonObject, type Json } from '../../../lib/json.ts'
import type { App } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { rawRoute, type RawReply, type RawRequest } from '../../../platform/http/route.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import { errors } from '../errors.ts'
import { settings } from '../settings.ts'
import { following, startOnce } from '../once.ts'
import { type Refusal, requestKeeper } from '../requests/keeper.ts'
import { start } from '../start.ts'
import { authorize } from './authorize.ts'
import { keyFor } from './deliveries.ts'
import { payloadOf } from './payload.ts'
import { sentReply } from './reply.ts'
import { secretHeader } from './signatures.ts'
import { type Hook, hookTable } from './table.ts'

const json = 'application/json; charset=utf-8'

export const callHook = rawRoute({
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  path: '/hooks/{workspace}/*',
  // Each call is an execution, which says more than a line of the log would.
  quiet: true,
  idempotent: true,
  summary: 'Call a webhook',
  description:
    "Starts the workflow that listens at this path, and answers as its `trigger.webhook` says: at once (202), with the last step's output (200), or " +
    'with what `http.respond` says. No answer says that a call was accepted before its execution is durable; `X-Millrace-Execution-Id` names it.\n\n' +
    'The body may be JSON, a form or text. It is kept with the execution together with the headers, except `Authorization`, `Cookie`, ' +
    '`Proxy-Authorization` and `X-API-Key`. A workflow that takes longer than `MILLRACE_HOOK_WAIT_MS` goes on, and the call is answered 202. ' +
    '`http.respond` cannot set headers of the connection, cookies, or security headers of the origin.\n\n' +
    'A repetition with the same `Idempotency-Key` starts nothing and is answered like the first call, also when that execution failed.',
  replies: {
    200: { description: "The last step's output, or the workflow's own reply.", content_type: 'application/json' },
    202: { description: '`{ execution_id }`', content_type: 'application/json' },
    204: { description: 'The workflow ended without a reply.' },
  },
  errors: [
    errors.hook_not_found,
    errors.hook_unauthorized,
    errors.hook_loop,
    errors.execution_failed,
    planErrors.limit_reached,
    httpErrors.method_not_allowed,
    httpErrors.malformed_json,
    httpErrors.unsupported_media_type,
    httpErrors.overloaded,
  ],
  admit: (app, request) => {
    const { workspace = '', '*': path = '' } = request.params
    const hook = app.use(hookTable).at(`${workspace}/${path}`)?.get(request.method)
    if (hook === undefined || hook.auth === null) return undefined
    return authorize(app, hook.workspace_id, hook.auth, request).catch((error: unknown) => {
      app.use(requestKeeper).refused({ hook, path, request }, 'unauthorized')
      throw error
    })
  },
  handle: (app, request, reply) => {
    const { workspace = '', '*': path = '' } = request.params
    const methods = app.use(hookTable).at(`${workspace}/${path}`)
    if (methods === undefined) {
      const paused = app.use(hookTable).pausedAt(`${workspace}/${path}`, request.method)
      if (paused !== undefined) app.use(requestKeeper).refused({ hook: paused, path, request }, 'paused')
      throw errors.hook_not_found()
    }
    const hook = methods.get(request.method)
    if (hook === undefined) return otherMethod([...methods.keys()], request, reply)
    const refuse = (reason: Refusal): void => app.use(requestKeeper).refused({ hook, path, request }, reason)
    if (readHops(request.headers[hops_header]) >= most_hops) {
      refuse('loop')
      throw errors.hook_loop()
    }
    run(app, { hook, request, path, refuse }, reply)
  },
})

/** A call, and how to note that it was refused. */
interface Call {
  readonly hook: Hook
  readonly request: RawRequest
  readonly path: string
  readonly refuse: (reason: Refusal) => void
}

const readable = ({ hook, request, path, refuse }: Call, execution_id: string): Json => {
  try {
    return payloadOf(request, path, secretHeader(hook.auth), execution_id)
  } catch (error) {
    refuse('unreadable')
    throw error
  }
}

const run = (app: App, call: Call, reply: RawReply): void => {
  const { hook, request } = call
  const { workspace_id, workflow_id, version, node_id: trigger_node_id } = hook
  const execution_id = app.newId()
  const payload = readable(call, execution_id)
  const input = { workspace_id, workflow_id, version, mode: 'live', trigger_node_id, payload, execution_id } as const
  const once = onceFor(app, hook, request, payload)
  const fail = (error: unknown): void => {
    if (error instanceof Problem && error.code === planErrors.limit_reached.code) call.refuse('plan_limit')
    reply.fail(refused(error))
  }
  if (once !== null) return void runOnce(app, call, { ...input, once }, reply).catch(fail)
  try {
    const running = start(app, input)
    if (!(running instanceof Promise)) return taken(app, call, payload, running, reply)
    running.then((made) => taken(app, call, payload, made, reply)).catch(fail)
  } catch (error) {
    fail(error)
  }
}

/** It has started something. */
const taken = (app: App, { hook, request, path }: Call, payload: Json, running: Running, reply: RawReply): void => {
  if (hook.keep_requests === 'all') {
    const keep = (): void => app.use(requestKeeper).accepted({ hook, path, request }, running.execution_id, bodyOf(payload))
    // Who waits for the answer is told why it was not accepted.
    running.accepted.then(keep, () => undefined)
  }
  answer(app, hook, running, reply)
}

const bodyOf = (payload: Json): Json => (isJsonObject(payload) ? (payload['body'] ?? null) : null)

/** What the server forgets sooner, a stored reply, would not outlive this. */
const idempotency_ms = 24 * 3_600_000

/** The key that a call may start an execution under once: its delivery's, or its `Idempotency-Key`; null for a call that stands for itself. */
const onceFor = (app: App, { node_id, deliveries }: Hook, request: RawRequest, payload: Json): Once | null => {
  const id = deliveries === null ? null : deliveries.idOf(request, payload)
  if (deliveries !== null && id !== null) return { key: keyFor('delivery', node_id, id), until: app.now() + deliveries.window }
  if (request.headers['idempotency-key'] === undefined) return null
  const { idempotency_key, method, path, query, body } = request
  return { key: keyFor('key', idempotency_key ?? '', method, path, query, body), until: app.now() + idempotency_ms }
}

/** Starts it, or answers like the first call of the same key. */
const runOnce = async (app: App, call: Call, input: StartExecution & { readonly once: Once }, reply: RawReply): Promise<void> => {
  const begun = await startOnce(app, input)
  const { hook } = call
  if (begun.first) return taken(app, call, input.payload, begun.running, reply)
  call.refuse('duplicate')
  const { execution_id } = begun
  const again: RawReply = {
    send: (status, headers, body) => reply.send(status, { ...headers, 'idempotency-replayed': 'true' }, body),
    fail: (error) => reply.fail(error),
  }
  answer(app, hook, following(app, hook.workspace_id, execution_id), again)
}

/** HEAD and OPTIONS start nothing unless the webhook asks for them: they come from link previews and browsers, unasked. */
const otherMethod = (methods: readonly string[], request: RawRequest, reply: RawReply): void => {
  const allow = [...new Set([...methods, 'OPTIONS'])].toSorted().join(', ')
  if (request.method === 'OPTIONS') return reply.send(204, { allow }, null)
  throw httpErrors.method_not_allowed({ detail: `${request.method} is not what this webhook listens to.`, headers: { allow } })
}

/** What is for us to mend, the caller is asked to try again soon. */
const busy = (error: unknown): unknown =>
  error instanceof Problem && error.declaration.status === 503 && error.details.headers?.['retry-after'] === undefined
    ? new Problem(error.code, error.declaration, { ...error.details, headers: { ...error.details.headers, 'retry-after': '2' } })
    : error

/** The caller may be a stranger: how much of its plan the workspace has used is not theirs to know. */
export const refused = (error: unknown): unknown => {
  if (!(error instanceof Problem) || error.code !== planErrors.limit_reached.code) return busy(error)
  const { 'violated-policies': violated = [], feature = null } = error.details.extra ?? {}
  return planErrors.limit_reached({
    detail: 'The plan of this workspace gives no more executions for now.',
    extra: { 'violated-policies': violated, feature },
  })
}

const answer = (app: App, hook: Hook, running: Running, reply: RawReply): void => {
  const fail = (error: unknown): void => reply.fail(busy(error))
  if (hook.respond === 'immediate') {
    running.accepted.then(() => accepted(hook.status ?? 202, running, reply)).catch(fail)
    return
  }
  // What is not there in time goes on without the caller. Only one of the two can answer.
  let waiting = true
  const timer = setTimeout(() => {
    waiting = false
    running.accepted.then(() => accepted(202, running, reply)).catch(fail)
  }, app.settings(settings).hook_wait_ms)
  const inTime = (send: () => void): void => {
    clearTimeout(timer)
    if (waiting) send()
  }
  const done = hook.respond === 'last_node' ? lastNode(hook, running, reply, inTime) : respondNode(hook, running, reply, inTime)
  done.catch((error: unknown) => inTime(() => fail(error)))
}

const accepted = (status: number, { execution_id }: Running, reply: RawReply): void =>
  reply.send(status, { 'content-type': json, 'x-millrace-execution-id': execution_id }, `{"execution_id":"${execution_id}"}`)

const lastNode = (hook: Hook, running: Running, reply: RawReply, inTime: (send: () => void) => void): Promise<void> =>
  running.finished.then((finished) =>
    inTime(() => {
      if (finished.status !== 'succeeded') return failed(finished, running, reply)
      const { execution_id } = running
      reply.send(hook.status ?? 200, { 'content-type': json, 'x-millrace-execution-id': execution_id }, JSON.stringify(finished.output))
    }),
  )

const respondNode = async (hook: Hook, running: Running, reply: RawReply, inTime: (send: () => void) => void): Promise<void> => {
  const said = await running.replied
  if (said !== null) return inTime(() => sendReply(said, running, reply))
  const finished = await running.finished
  inTime(() => {
    if (finished.status !== 'succeeded') return failed(finished, running, reply)
    reply.send(hook.status ?? 204, { 'x-millrace-execution-id': running.execution_id }, null)
  })
}

const sendReply = (said: HttpReply, { execution_id }: Running, reply: RawReply): void => {
  const { status, headers, body } = sentReply(said)
  reply.send(status, { ...headers, 'x-millrace-execution-id': execution_id }, body)
}

/** The caller may be a stranger: it learns that the execution failed and which one, not why. */
const failed = (finished: Finished, { execution_id }: Running, reply: RawReply): void =>
  reply.fail(
    errors.execution_failed({
      final: true,
      detail: `The execution ended as ${finished.status}.`,
      extra: { execution_id, execution_status: finished.status },
      headers: { 'x-millrace-execution-id': execution_id },
    }),
  )
