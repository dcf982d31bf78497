import { Type } from 'typebox'
import { defineJob } from '../../../engine/job.ts'
import { derivedId } from '../../../lib/derived-id.ts'
import type { Ctx } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { dismiss, pause, resume, retry } from '../control/control.ts'
import { fork } from '../control/fork.ts'
import { errors } from '../errors.ts'
import { cancel, get } from '../executions.ts'
import { nowOf } from '../workflows.ts'
import { job_name } from './bulk.ts'
import * as store from './store.ts'

/** Items read at a time, and those that are at work at once: others need connections, too. */
const batch = 200
const at_once = 4

/** Does what a verb says to one execution; a fork answers with the new one. */
const act = async (ctx: Ctx, bulk: store.BulkRow, id: string): Promise<string | null> => {
  const { verb, options } = bulk
  // The same one, should this be done again after a crash.
  if (verb === 'fork') return (await fork(ctx, id, options, { execution_id: derivedId(bulk.id, id) })).id
  await { cancel: cancelOnce, retry, pause, resume, dismiss }[verb](ctx, id, null)
  return null
}

/** It is in no transaction: what was cancelled before a crash counts as done. */
const cancelOnce = async (ctx: Ctx, id: string): Promise<void> => {
  try {
    await cancel(ctx, id, null)
  } catch (error) {
    const is_ended = error instanceof Problem && error.code === errors.execution_ended.code
    if (!is_ended || (await get(ctx, id, { payloads: false })).status !== 'cancelled') throw error
  }
}

/** Once: what was done and that it was are written together. */
const workOn = async (ctx: Ctx, bulk: store.BulkRow, { nth, execution_id }: Pick<store.ItemRow, 'nth' | 'execution_id'>): Promise<void> => {
  try {
    await ctx.tx(async (tx) => {
      const new_execution_id = await act(tx, bulk, execution_id)
      await store.settleItem(tx.db, bulk.id, nth, { ok: true, code: null, new_execution_id })
    })
  } catch (error) {
    // What only hinders now, a database that is away, is tried again with the whole job.
    if (!(error instanceof Problem) || error.declaration.status >= 500) throw error
    await ctx.tx((tx) => store.settleItem(tx.db, bulk.id, nth, { ok: false, code: error.code, new_execution_id: null }))
  }
}

/** Who has asked is who the events name. */
const onBehalf = (ctx: Ctx, { workspace_id, asked_by, impersonator_id }: store.BulkRow): Ctx =>
  ctx.context({
    actor: { type: 'system', reason: 'somebody does something to many executions' },
    workspace_id,
    request_id: ctx.request_id,
    ...(asked_by === null ? {} : { principal: { type: 'user', id: asked_by, impersonator_id } as const }),
    log: ctx.log,
    signal: ctx.signal,
  })

export const bulkJob = defineJob({
  name: job_name,
  doc: 'Cancels, retries, forks, pauses, resumes or dismisses many executions.',
  input: Type.Object({ bulk_id: Type.String({ format: 'uuid' }) }),
  timeout_ms: 3_600_000,
  run: async (ctx, { input: { bulk_id }, signal }) => {
    const bulk = await store.bulkById(ctx.db, bulk_id)
    // Its workspace is no more.
    if (bulk === undefined) return null
    const own = onBehalf(ctx, bulk)
    for (;;) {
      const items = await store.openItems(own.db, bulk_id, batch)
      if (items.length === 0) break
      const left = [...items]
      const work = async (): Promise<void> => {
        for (let item = left.shift(); item !== undefined; item = left.shift()) {
          signal.throwIfAborted()
          await workOn(own, bulk, item)
        }
      }
      await Promise.all(Array.from({ length: at_once }, work))
    }
    await own.tx((tx) => store.finishBulk(tx.db, bulk_id, nowOf(tx)))
    return null
  },
})
