import type { StartExecution } from '../../engine/contract.ts'
import { engine, type Running } from '../../engine/engine.ts'
import { executionStatuses, type ExecutionView, type ReadOptions, readExecution } from '../../engine/history.ts'
import { countExecutions, type ExecutionFilter, type FoundExecutions, listExecutions } from '../../engine/list-executions.ts'
import type { Json } from '../../lib/json.ts'
import type { Ctx } from '../../platform/context.ts'
import { requireRevision } from '../../platform/http/etag.ts'
import { errors } from './errors.ts'
import { keyFor } from './hooks/deliveries.ts'
import { following, startOnce } from './once.ts'
import { start } from './start.ts'
import { authorOf, type Revised, summary, workspaceOf } from './workflows.ts'

/**
 * Starts the published version by hand: at its `trigger.manual`, or at its first trigger when it has none, with `input` as the trigger's
 * payload. Answers when the execution is durable; with `wait_ms`, when it has ended (`in_time`) or that time is over.
 * Errors: 404 `workflows.not_found`, 412 when the workflow is not at `if_match` (null: any), 409 `workflows.not_active`,
 * 409 `workflows.no_trigger`, 402 `plans.limit_reached`, 503 `engine.draining`.
 */
export const execute = async (
  ctx: Ctx,
  id: string,
  input: { readonly input?: unknown; readonly wait_ms?: number | undefined; readonly priority?: number | undefined },
  request: { readonly if_match: number | null; readonly idempotency_key: string | null },
): Promise<{ readonly in_time: boolean; readonly execution: ExecutionView }> => {
  const workflow = await summary(ctx, id)
  requireRevision(workflow, request.if_match)
  const { triggers } = workflow
  const version = activeVersion(workflow)
  const trigger = triggers.find(({ type }) => type === 'trigger.manual') ?? triggers[0]
  if (trigger === undefined) throw errors.no_trigger()
  const workspace_id = workspaceOf(ctx)
  const payload = (input.input === undefined ? {} : input.input) as Json
  const wanted = { workspace_id, workflow_id: id, version, mode: 'live', trigger_node_id: trigger.node_id, payload } as const
  const { wait_ms = 0, priority } = input
  const running = await startFor(ctx, priority === undefined ? wanted : { ...wanted, priority }, request.idempotency_key)
  if (wait_ms > 0) await within(running.finished, wait_ms, ctx.signal)
  const execution = await get(ctx, running.execution_id, { payloads: false })
  // Whoever did not ask to wait gets the same answer however fast the workflow is.
  return { in_time: wait_ms > 0 && execution.finished_at !== null, execution }
}

const kept_ms = 24 * 3_600_000

/**
 * With a key, the one execution that was started under it: what a stored reply cannot tell after a crash between the start and the reply.
 * Resolves when it is durable.
 */
const startFor = async (ctx: Ctx, input: StartExecution, key: string | null): Promise<Running> => {
  if (key !== null) {
    const once = { key: keyFor('execute', authorOf(ctx) ?? '', key, JSON.stringify(input.payload)), until: ctx.now() + kept_ms }
    const begun = await startOnce(ctx, { ...input, once })
    return begun.first ? begun.running : following(ctx, input.workspace_id, begun.execution_id)
  }
  const running = await start(ctx, input)
  await running.accepted
  return running
}

/** Errors: 409 `workflows.not_active`. */
export const activeVersion = ({ status, version }: { readonly status: string; readonly version: number | null }): number => {
  if (status !== 'active' || version === null) throw errors.not_active({ detail: `The workflow is ${status}.` })
  return version
}

/** Waits for a promise, but no longer than `wait_ms`, and not for a caller that has gone away. */
export const within = async (work: Promise<unknown>, wait_ms: number, signal: AbortSignal): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const over = (): void => resolve()
  const timer = setTimeout(over, wait_ms)
  signal.addEventListener('abort', over, { once: true })
  try {
    await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', over)
  }
}

/** Errors: 404 `workflows.not_found` when the filter names a workflow that the caller's workspace has not. */
export const list = async (
  ctx: Ctx,
  filter: ExecutionFilter,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<FoundExecutions> => {
  const [found] = await Promise.all([
    listExecutions(ctx.db, filter, { after: page.after ?? undefined, limit: page.limit, order: page.descending ? 'desc' : 'asc' }),
    filter.workflow_id === undefined ? null : summary(ctx, filter.workflow_id),
  ])
  return found
}

/** In a transaction, which has a connection to itself: counting many takes long, and others wait behind it where reads are shared. */
export const count = (ctx: Ctx, filter: ExecutionFilter): Promise<number> => ctx.tx((tx) => countExecutions(tx.db, filter))

type States = Pick<ExecutionView, 'status' | 'paused_at' | 'dismissed_at'> & { readonly records: number }

/** Records are only ever added: their number, the status and whether it is paused or dismissed tell every state of an execution from every other. */
const revisionOf = ({ records, status, paused_at, dismissed_at }: States): number =>
  (records * executionStatuses.length + executionStatuses.indexOf(status)) * 2 + (paused_at === null && dismissed_at === null ? 1 : 2)

/** With a page of its steps; with their inputs and outputs when `payloads`. Errors: 404 `workflows.execution_not_found`. */
export const get = async (ctx: Ctx, id: string, options: ReadOptions): Promise<Revised<ExecutionView>> => {
  const found = await readExecution(ctx, id, options)
  if (found === undefined) throw errors.execution_not_found()
  const { records, ...execution } = found
  return { ...execution, revision: revisionOf({ records, ...execution }) }
}

/** Errors: 404 `workflows.execution_not_found`, 412 when it is not at `revision` (null: any), 409 `workflows.execution_ended`. */
export const cancel = async (ctx: Ctx, id: string, revision: number | null): Promise<Revised<ExecutionView>> => {
  const before = await get(ctx, id, { payloads: false })
  requireRevision(before, revision)
  if (before.finished_at !== null || !(await ctx.use(engine).cancel(id))) {
    throw errors.execution_ended()
  }
  return get(ctx, id, { payloads: false })
}
