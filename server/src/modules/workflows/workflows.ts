import type { Ctx, TxCtx } from '../../platform/context.ts'
import type { Changes } from '../../platform/events/changes.ts'
import type { EventDeclaration } from '../../platform/events/event.ts'
import { httpErrors } from '../../platform/http/errors.ts'
import { requireRevision } from '../../platform/http/etag.ts'
import { httpService } from '../../platform/http/http-service.ts'
import { engine } from '../../engine/engine.ts'
import { limits, type Definition } from '../../engine/graph/definition.ts'
import { listExecutions } from '../../engine/list-executions.ts'
import { formTrigger } from '../../engine/nodes/trigger-form.ts'
import * as workspaces from '../workspaces/workspaces.ts'
import { changesOf } from './changes.ts'
import { queueCounts } from '../../engine/lines/queue-view.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import { hookTable } from './hooks/table.ts'
import type { NewWorkflow, Status, Trigger, Workflow, WorkflowChange, WorkflowSummary } from './schema.ts'
import * as store from './store.ts'
import { layOut, rest, takeAway } from './triggers/lay-out.ts'
import { nextTimes } from './triggers/schedule-store.ts'
import { triggersOf } from './webhooks.ts'

/** With the revision that becomes its ETag. */
export type Revised<T> = T & { readonly revision: number }

/** The caller's workspace; whoever has a permission has one. */
export const workspaceOf = (ctx: Ctx): string => {
  if (ctx.workspace_id === null) throw httpErrors.forbidden({ detail: 'This needs a workspace.' })
  return ctx.workspace_id
}

export const nowOf = (ctx: Ctx): string => new Date(ctx.now()).toISOString()

export const authorOf = (ctx: Ctx): string | null => (ctx.actor.type === 'user' ? ctx.actor.user_id : null)

/** Stored triggers as they are shown: webhooks and forms with the address they are reached at. */
export const shownTriggers = async (
  ctx: Ctx,
  workspace_id: string,
  lists: readonly (readonly store.StoredTrigger[])[],
): Promise<Trigger[][]> => {
  const any = lists.some((triggers) => triggers.some(({ path }) => path !== undefined))
  const slug = any ? (await workspaces.slugsOf(ctx, [workspace_id])).get(workspace_id) : undefined
  const base = ctx.use(httpService).url()
  const urlOf = (type: string, path: string): string => `${base}/${type === formTrigger.type ? 'forms' : 'hooks'}/${slug}/${path}`
  return lists.map((triggers) =>
    triggers.map(({ path, ...trigger }) => (path === undefined ? trigger : { ...trigger, url: urlOf(trigger.type, path) })),
  )
}

/** With when its schedules fire next, in place. */
const withNextRuns = async <T extends { readonly id: string; readonly triggers: Trigger[] }>(ctx: Ctx, workflow: T): Promise<T> => {
  await addNextRuns(ctx, [workflow])
  return workflow
}

const addNextRuns = async (ctx: Ctx, workflows: readonly { readonly id: string; readonly triggers: Trigger[] }[]): Promise<void> => {
  const scheduled = workflows.filter(({ triggers }) => triggers.some(({ type }) => type === 'trigger.schedule'))
  if (scheduled.length === 0) return
  const ids = scheduled.map(({ id }) => id)
  const times = new Map((await nextTimes(ctx.db, ids)).map((row) => [`${row.workflow_id}/${row.node_id}`, row.next_at]))
  for (const { id, triggers } of scheduled)
    for (const trigger of triggers)
      if (trigger.type === 'trigger.schedule') trigger.next_run_at = times.get(`${id}/${trigger.node_id}`) ?? null
}

const shown = async (ctx: Ctx, row: store.WorkflowRow): Promise<Revised<Workflow>> => {
  const [triggers = []] = await shownTriggers(ctx, row.workspace_id, [row.triggers])
  return withNextRuns(ctx, { ...row, triggers })
}

/** Throws 422 `workflows.definition_too_large`. */
export const checkSize = (definition: Definition): void => {
  const bytes = Buffer.byteLength(JSON.stringify(definition))
  if (bytes <= limits.bytes) return
  throw errors.definition_too_large({
    errors: [{ path: 'definition', message: `must be at most ${limits.bytes} bytes of JSON; it has ${bytes}` }],
  })
}

/** Makes a draft. It need not be complete: `check` says what is missing, and publishing needs all of it. */
export const create = (ctx: Ctx, input: NewWorkflow): Promise<Revised<Workflow>> => {
  checkSize(input.definition)
  return ctx.tx(async (tx) => {
    const row = await store.insertWorkflow(tx.db, {
      id: tx.newId(),
      workspace_id: workspaceOf(tx),
      name: input.name,
      description: input.description ?? '',
      definition: input.definition,
      triggers: triggersOf(input.definition),
      tags: [...(input.tags ?? [])],
      created_by: authorOf(tx),
      created_at: nowOf(tx),
    })
    announce(tx, events.created, row, changesOf(null, row))
    return shown(tx, row)
  })
}

export const list = async (
  ctx: Ctx,
  filter: store.WorkflowFilter,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly WorkflowSummary[]> => {
  const rows = await store.listWorkflows(ctx.db, filter, page)
  const triggers = await shownTriggers(
    ctx,
    workspaceOf(ctx),
    rows.map((row) => row.triggers),
  )
  const shown_rows = rows.map((row, index) => ({ ...row, triggers: triggers[index] ?? [] }))
  await addNextRuns(ctx, shown_rows)
  return shown_rows
}

export const count = (ctx: Ctx, filter: store.WorkflowFilter): Promise<number> => store.countWorkflows(ctx.db, filter)

/** With its last execution, and what stands in line where it has limits. Errors: 404 `workflows.not_found`. */
export const get = async (ctx: Ctx, id: string): Promise<Revised<Workflow>> => {
  const [row, { executions }, queue] = await Promise.all([
    store.workflowById(ctx.db, id),
    listExecutions(ctx.db, { workflow_id: id }, { order: 'desc', limit: 1 }),
    queueCounts(ctx.db, id),
  ])
  if (row === undefined) throw errors.not_found()
  return { ...(await shown(ctx, row)), last_execution: executions[0] ?? null, queue }
}

/** Without its draft. Errors: 404 `workflows.not_found`. */
export const summary = async (ctx: Ctx, id: string): Promise<store.SummaryRow> => {
  const row = await store.summaryById(ctx.db, id)
  if (row === undefined) throw errors.not_found()
  return row
}

/** Locks a workflow for a change. Errors: 404, 412 when it is not at `revision` (null: any). */
export const lock = async (tx: TxCtx, id: string, revision: number | null): Promise<store.WorkflowRow> => {
  const row = await store.lockWorkflow(tx.db, id)
  if (row === undefined) throw errors.not_found()
  requireRevision(row, revision)
  return row
}

/** Changes the given fields of the draft. Errors: 404, 412, 409 `workflows.wrong_status` for an archived one, 422. */
export const update = (ctx: Ctx, id: string, change: WorkflowChange, revision: number | null): Promise<Revised<Workflow>> => {
  if (change.definition !== undefined) checkSize(change.definition)
  return ctx.tx(async (tx) => {
    const before = await lock(tx, id, revision)
    if (before.status === 'archived') throw errors.wrong_status({ detail: 'An archived workflow is not changed.' })
    const { tags, ...others } = change
    const triggers = change.definition !== undefined && before.version === null ? { triggers: triggersOf(change.definition) } : {}
    const row = await store.updateWorkflow(tx.db, id, { ...others, ...triggers, ...(tags && { tags: [...tags] }) }, nowOf(tx))
    tx.emit(events.updated, { ...about(row), fields: Object.keys(change) }, changesOf(before, row))
    return shown(tx, row)
  })
}

/** The workflows whose published version names an integration; one that is archived starts no more. */
export const usersOfIntegration = (ctx: Ctx, integration_id: string) => store.workflowsNaming(ctx.db, integration_id)

/** Removes a workflow with its versions. What it has started goes on; its executions can still be read. */
export const remove = (ctx: Ctx, id: string, revision: number | null): Promise<void> =>
  ctx.tx(async (tx) => {
    const row = await lock(tx, id, revision)
    await store.deleteWorkflow(tx.db, id)
    await tx.use(engine).releaseQueued(tx, id)
    announce(tx, events.deleted, row, changesOf(row, null))
    followHooks(tx, { ...row, status: 'archived', revision: Number.MAX_SAFE_INTEGER })
  })

/**
 * Starts no more executions: its webhooks are not found, events pass it by, schedules wait. What is queued and has not begun stays queued; what runs or
 * sleeps goes on. Webhook paths stay reserved. Pausing a paused workflow changes nothing.
 */
export const pause = (ctx: Ctx, id: string, revision: number | null): Promise<Revised<Workflow>> =>
  move(ctx, id, revision, { to: 'paused', from: ['active'], event: events.paused })

/** Lets it start again: what was queued begins, and schedules do about the times they missed what they say. */
export const resume = (ctx: Ctx, id: string, revision: number | null): Promise<Revised<Workflow>> =>
  move(ctx, id, revision, { to: 'active', from: ['paused'], event: events.resumed })

/** Puts a workflow away for good: it can be read and deleted, and its webhook paths are free for others. */
export const archive = (ctx: Ctx, id: string, revision: number | null): Promise<Revised<Workflow>> =>
  move(ctx, id, revision, { to: 'archived', from: ['draft', 'active', 'paused'], event: events.archived })

interface Move {
  readonly to: Status
  readonly from: readonly Status[]
  readonly event: typeof events.paused
}

const move = (ctx: Ctx, id: string, revision: number | null, { to, from, event }: Move): Promise<Revised<Workflow>> =>
  ctx.tx(async (tx) => {
    const before = await lock(tx, id, revision)
    if (before.status === to) return shown(tx, before)
    if (!from.includes(before.status))
      throw errors.wrong_status({ detail: `The workflow is ${before.status}; this needs it ${from.join(' or ')}.` })
    if (to === 'archived') await store.deleteWebhooks(tx.db, id)
    if (to === 'active') await layOut(tx, before, await definitionOf(tx, before))
    else if (to === 'paused') await rest(tx, id)
    else await takeAway(tx, id)
    if (to === 'paused') await tx.use(engine).holdQueued(tx, id)
    else await tx.use(engine).releaseQueued(tx, id)
    const row = await store.updateWorkflow(tx.db, id, { status: to }, nowOf(tx))
    announce(tx, event, row, changesOf(before, row))
    followHooks(tx, row)
    return shown(tx, row)
  })

/** What is published of a workflow. */
const definitionOf = async (tx: TxCtx, { id, version }: store.WorkflowRow): Promise<Definition> => {
  const row = await store.versionByNumber(tx.db, id, version as number)
  if (row === undefined) throw new Error(`workflow ${id} lacks the version that is published`)
  return row.definition
}

const about = ({ id, name, revision }: store.WorkflowRow) => ({ workflow_id: id, name, revision })

const announce = (tx: TxCtx, event: EventDeclaration<typeof events.created.data>, row: store.WorkflowRow, changes: Changes): void =>
  tx.emit(event, about(row), changes)

/** After the commit this process knows the workflow's webhooks as they are now, before the caller has its answer. */
export const followHooks = (tx: TxCtx, row: Pick<store.WorkflowRow, 'id' | 'workspace_id' | 'status' | 'revision'>): void =>
  tx.afterCommit(() => {
    const table = tx.use(hookTable)
    if (row.status === 'active' || row.status === 'paused') return table.refresh(tx, [row.id])
    return table.apply({ workflow_id: row.id, workspace_id: row.workspace_id, revision: row.revision, hooks: [] }, [])
  })
