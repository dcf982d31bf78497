import type { ExecutionStatus } from '../../../engine/contract.ts'
import { engine } from '../../../engine/engine.ts'
import { idOfJob, trigger_node_id } from '../../../engine/job-types.ts'
import { type ExecutionFilter, listExecutions } from '../../../engine/list-executions.ts'
import type { Ctx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import { authorOf, nowOf, summary, workspaceOf } from '../workflows.ts'
import { type Bulk, type BulkFilter, type BulkItem, most, type NewBulk, type Verb } from './schema.ts'
import * as store from './store.ts'

export const job_name = 'workflows.bulk'

/** What can be read of a bulk after so long is gone. */
const kept_ms = 30 * 86_400_000
/** Items of one reply. */
const page = 1_000
/** Executions read at a time. */
const batch = 1_000

const open: readonly ExecutionStatus[] = ['queued', 'running', 'waiting']

/** Whom a verb can mean, where a filter does not say. */
const meant: { readonly [V in Verb]: ExecutionFilter } = {
  cancel: { status: open },
  pause: { status: open },
  resume: { status: ['waiting', 'running', 'queued'] },
  retry: { status: ['failed', 'timed_out'] },
  dismiss: { dead: true },
  fork: {},
}

const found = async (ctx: Ctx, verb: Verb, filter: BulkFilter): Promise<readonly string[]> => {
  if (filter.workflow_id !== undefined) await summary(ctx, filter.workflow_id)
  const ids: string[] = []
  for (let after: string | undefined; ;) {
    const { executions, go_on_after } = await listExecutions(ctx.db, { ...meant[verb], ...filter }, { order: 'asc', limit: batch, after })
    for (const { id } of executions) ids.push(id)
    if (ids.length > most.found) throw errors.bulk_too_many({ detail: `The filter finds more than ${most.found} executions.` })
    const last = executions.length === batch ? executions.at(-1)?.id : go_on_after
    if (last === undefined || last === null) return ids
    after = last
  }
}

const mistakesOf = (verb: Verb, { ids, filter, node_id, version }: NewBulk) => [
  ...((ids === undefined) === (filter === undefined) ? [{ path: 'ids', message: 'give either ids or a filter' }] : []),
  ...(verb !== 'fork' && node_id !== undefined ? [{ path: 'node_id', message: 'goes with fork' }] : []),
  ...(verb !== 'fork' && version !== undefined ? [{ path: 'version', message: 'goes with fork' }] : []),
]

/**
 * Does something to many executions, each by itself, as a job that survives every crash and does it once to each. Which ones is decided now. Errors: 422
 * for what does not fit together, 404 `workflows.not_found`, 422 `workflows.bulk_too_many`, 409 `workflows.too_many_bulks`.
 */
export const start = (ctx: Ctx, verb: Verb, input: NewBulk): Promise<Bulk> => {
  const mistakes = mistakesOf(verb, input)
  if (mistakes.length > 0) throw httpErrors.validation_failed({ errors: mistakes })
  return ctx.tx(async (tx) => {
    const workspace_id = workspaceOf(tx)
    const ids = input.ids ?? (await found(tx, verb, input.filter as BulkFilter))
    const known = await store.knownAmong(tx.db, ids)
    await store.deleteOld(tx.db, workspace_id, new Date(tx.now() - kept_ms).toISOString())
    if ((await store.countOpen(tx.db, workspace_id)) >= most.open) throw errors.too_many_bulks()
    const { node_id, version } = input
    const options = { ...(node_id === undefined ? {} : { node_id }), ...(version === undefined ? {} : { version }) }
    const id = tx.newId()
    const row = { id, workspace_id, verb, options, asked_by: authorOf(tx), impersonator_id: tx.principal.impersonator_id }
    const items = ids.map((execution_id) => ({ execution_id, code: known.has(execution_id) ? null : errors.execution_not_found.code }))
    await store.insertBulk(tx.db, { ...row, total: ids.length, created_at: nowOf(tx) }, items)
    await tx.use(engine).enqueue(tx, {
      ...{ execution_id: id, workspace_id, workflow_id: idOfJob(job_name), version: 1, mode: 'job', trigger_node_id },
      ...{ trigger_type: 'trigger.manual', payload: { bulk_id: id } },
    })
    tx.emit(events.bulkStarted, { bulk_id: id, verb, total: ids.length }, { after: { verb, total: ids.length } })
    return get(tx, id, 1)
  })
}

const itemOf = ({ execution_id, ok, code, new_execution_id }: store.ItemRow): BulkItem => ({
  id: execution_id,
  ok,
  ...(code === null ? {} : { code }),
  ...(new_execution_id === null ? {} : { new_execution_id }),
})

/** How far it is, with what came of each execution, from the `from_item`th on. Errors: 404 `workflows.bulk_not_found`. */
export const get = async (ctx: Ctx, id: string, from_item: number): Promise<Bulk> => {
  const [row, counts, items] = await Promise.all([
    store.bulkById(ctx.db, id),
    store.countItems(ctx.db, id),
    store.itemsOf(ctx.db, id, from_item, page + 1),
  ])
  if (row === undefined) throw errors.bulk_not_found()
  const { verb, total, created_at, finished_at } = row
  return {
    ...{ id, verb, status: finished_at === null ? 'running' : 'done', total, ...counts, created_at, finished_at },
    items: items.slice(0, page).map(itemOf),
    next_item: items[page]?.nth ?? null,
  }
}
