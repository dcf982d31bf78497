import type { Controlled } from '../../../engine/control/control.ts'
import { engine } from '../../../engine/engine.ts'
import type { ExecutionView } from '../../../engine/history.ts'
import type { Ctx } from '../../../platform/context.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import { get } from '../executions.ts'
import type { Revised } from '../workflows.ts'

const short = { payloads: false } as const

const about = ({ id, workflow_id, version, mode }: Controlled) => ({ execution_id: id, workflow_id, version, mode })

/**
 * Lets an execution go on that failed, was cancelled or timed out: the steps that have succeeded stay, the one that ended it is tried again,
 * under the same idempotency key. It is the same execution; its time limit counts from now. Errors: 404
 * `workflows.execution_not_found`, 412 when it is not at `revision` (null: any), 409 `workflows.execution_not_failed`, also for all but one
 * of those who try at once.
 */
export const retry = (ctx: Ctx, id: string, revision: number | null): Promise<Revised<ExecutionView>> =>
  ctx.tx(async (tx) => {
    requireRevision(await get(tx, id, short), revision)
    const retried = await tx.use(engine).retry(tx, id)
    if (retried === null) throw errors.execution_not_failed()
    const { status, code } = retried
    tx.emit(events.executionRetried, about(retried), {
      before: { status, error_code: code },
      after: { status: 'queued', error_code: null },
    })
    return get(tx, id, short)
  })

/**
 * Lets an execution come to rest: what is in flight comes back and is kept, nothing new begins, no timer fires. Then it is in no process's
 * memory. Pausing a paused one changes nothing. Errors: 404, 412, 409 `workflows.execution_ended`.
 */
export const pause = (ctx: Ctx, id: string, revision: number | null): Promise<Revised<ExecutionView>> =>
  ctx.tx(async (tx) => {
    requireRevision(await get(tx, id, short), revision)
    const paused = await tx.use(engine).pause(tx, id)
    const execution = await get(tx, id, short)
    if (paused === null) {
      if (execution.paused_at === null) throw errors.execution_ended()
      return execution
    }
    tx.emit(events.executionPaused, about(paused), { before: { paused_at: null }, after: { paused_at: execution.paused_at } })
    return execution
  })

/**
 * Takes an execution that failed or timed out from the dead letters: nothing is to be done about it. Dismissing it once more changes nothing. Errors: 404, 412,
 * 409 `workflows.not_a_dead_letter`.
 */
export const dismiss = (ctx: Ctx, id: string, revision: number | null): Promise<Revised<ExecutionView>> =>
  ctx.tx(async (tx) => {
    requireRevision(await get(tx, id, short), revision)
    const dismissed = await tx.use(engine).dismiss(tx, id)
    const execution = await get(tx, id, short)
    if (dismissed === null) {
      if (execution.dismissed_at === null) throw errors.not_a_dead_letter()
      return execution
    }
    tx.emit(events.executionDismissed, about(dismissed), {
      before: { dismissed_at: null },
      after: { dismissed_at: execution.dismissed_at },
    })
    return execution
  })

/** Lets a paused execution go on; its time limit has stood still. Errors: 404, 412, 409 `workflows.execution_not_paused`. */
export const resume = (ctx: Ctx, id: string, revision: number | null): Promise<Revised<ExecutionView>> =>
  ctx.tx(async (tx) => {
    const before = await get(tx, id, short)
    requireRevision(before, revision)
    const resumed = await tx.use(engine).unpause(tx, id)
    if (resumed === null) throw errors.execution_not_paused()
    tx.emit(events.executionResumed, about(resumed), { before: { paused_at: before.paused_at }, after: { paused_at: null } })
    return get(tx, id, short)
  })
