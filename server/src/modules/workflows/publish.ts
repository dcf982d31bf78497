import { checkInTurns } from '../../engine/check.ts'
import { engine, nodeTypes } from '../../engine/engine.ts'
import type { Definition } from '../../engine/graph/definition.ts'
import { runTests } from '../../engine/rehearsal/run-tests.ts'
import { codeProblems } from '../../engine/sandbox/check-code.ts'
import { sandbox } from '../../engine/sandbox/sandbox.ts'
import type { Json } from '../../lib/json.ts'
import type { Ctx } from '../../platform/context.ts'
import { requireRevision } from '../../platform/http/etag.ts'
import { changesOf } from './changes.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import type { Problem, Version, VersionSummary, Workflow } from './schema.ts'
import * as store from './store.ts'
import { placeholderProblems } from './transfer/n8n/placeholder.ts'
import { layOut } from './triggers/lay-out.ts'
import { triggerProblems } from './triggers/trigger-problems.ts'
import { knownSecrets } from './secrets/store.ts'
import { variableProblems } from './variables/variables.ts'
import { authProblems, dedupeProblems, tooManyTriggers, triggersOf, webhookProblems, webhooksOf } from './webhooks.ts'
import { authorOf, followHooks, get, lock, nowOf, type Revised, shownTriggers, summary } from './workflows.ts'

/** Every mistake of a definition that is, or would be, the draft of a workflow. */
export const problemsOf = async (ctx: Ctx, workflow_id: string, definition: Definition): Promise<readonly Problem[]> => {
  const webhooks = webhooksOf(definition)
  const too_many = tooManyTriggers(definition, webhooks)
  if (too_many !== null) return [too_many]
  const taken = await store.webhooksOfOthers(ctx.db, workflow_id, [...new Set(webhooks.map(({ path }) => path))])
  const { problems } = await checkInTurns(definition, { nodeTypes: ctx.use(nodeTypes) })
  const named = webhooks.flatMap(({ secret_id }) => secret_id ?? [])
  const secrets = named.length === 0 ? new Set<string>() : await knownSecrets(ctx.db, [...new Set(named)])
  const { workspace_id } = ctx
  const programs = await codeProblems(ctx.use(sandbox), definition, { workspace_id: workspace_id ?? '', signal: ctx.signal })
  return [
    ...problems,
    ...webhookProblems(webhooks, taken),
    ...authProblems(webhooks, secrets),
    ...dedupeProblems(webhooks),
    ...placeholderProblems(definition),
    ...programs,
    ...(await triggerProblems(ctx, workflow_id, definition)),
    ...(await variableProblems(ctx, definition)),
  ]
}

/** Every mistake of the draft. One without errors can be published. Errors: 404 `workflows.not_found`, 412. */
export const check = async (ctx: Ctx, id: string, revision: number | null): Promise<{ problems: Problem[] }> => {
  const row = await store.workflowById(ctx.db, id)
  if (row === undefined) throw errors.not_found()
  requireRevision(row, revision)
  return { problems: [...(await problemsOf(ctx, id, row.definition))] }
}

/** Throws 422 `workflows.not_publishable` where there are mistakes. */
export const refuse = (problems: readonly Problem[]): void => {
  const mistakes = problems.filter(({ severity }) => severity === 'error')
  if (mistakes.length === 0) return
  throw errors.not_publishable({
    detail: `The draft has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}.`,
    errors: mistakes.map(({ path, message }) => ({ path, message })),
    extra: { problems: problems.map((problem) => ({ ...problem })) },
  })
}

interface Publishing {
  readonly note?: string | undefined
  /** Publishes whatever the tests of the draft say; the event tells so. */
  readonly skip_tests?: boolean | undefined
}

/**
 * Makes the draft the next version and the workflow active, once its tests have passed. Errors: 404, 412, 409 `workflows.wrong_status` for an
 * archived one, 422 `workflows.not_publishable` with every problem, 422 `workflows.tests_failed` with the results, 409
 * `workflows.draft_changed` meanwhile, 409 `workflows.webhook_path_taken` when another publish was faster, 503 `engine.tests_busy`.
 */
export const publish = async (ctx: Ctx, id: string, input: Publishing, revision: number | null): Promise<Version> => {
  // Tests may take long, and nothing is to be locked while they run.
  const tested = input.skip_tests === true ? null : await runTestsOf(ctx, id, revision)
  return ctx.tx(async (tx) => {
    const draft = await lock(tx, id, revision)
    if (draft.status === 'archived') throw errors.wrong_status({ detail: 'An archived workflow is not published.' })
    const { definition, workspace_id } = draft
    const has_tests = (definition.tests ?? []).length > 0
    if (has_tests && tested !== null && draft.revision !== tested) throw errors.draft_changed()
    refuse(await problemsOf(tx, id, definition))
    const version: store.VersionRow = {
      workflow_id: id,
      version: (draft.version ?? 0) + 1,
      definition,
      triggers: triggersOf(definition),
      note: input.note ?? null,
      created_by: authorOf(tx),
      created_at: nowOf(tx),
    }
    await store.insertVersion(tx.db, { ...version, workspace_id })
    await tx.use(engine).deploy(tx, { workflow_id: id, version: version.version, definition })
    await layOut(tx, { id, workspace_id, version: version.version }, definition)
    if (draft.status === 'paused') await tx.use(engine).releaseQueued(tx, id)
    await store.deleteWebhooks(tx.db, id)
    const webhooks = webhooksOf(definition).map(({ index: _, ...webhook }) => ({
      ...webhook,
      workspace_id,
      workflow_id: id,
      version: version.version,
    }))
    if (!(await store.insertWebhooks(tx.db, webhooks))) throw errors.webhook_path_taken()
    const row = await store.updateWorkflow(
      tx.db,
      id,
      { status: 'active', version: version.version, triggers: version.triggers },
      version.created_at,
    )
    const tests = !has_tests ? ('none' as const) : tested === null ? ('skipped' as const) : ('passed' as const)
    const told = { workflow_id: id, name: row.name, revision: row.revision, version: version.version, tests }
    tx.emit(events.published, told, changesOf(draft, row))
    followHooks(tx, row)
    return shownVersion(tx, workspace_id, version)
  })
}

/** Runs the tests of the draft; answers with its revision. Errors: 404, 412, 422 where it has mistakes, 422 `workflows.tests_failed`. */
const runTestsOf = async (ctx: Ctx, id: string, revision: number | null): Promise<number> => {
  const row = await store.workflowById(ctx.db, id)
  if (row === undefined) throw errors.not_found()
  requireRevision(row, revision)
  const { definition, workspace_id } = row
  if ((definition.tests ?? []).length === 0 || row.status === 'archived') return row.revision
  refuse(await problemsOf(ctx, id, definition))
  const { failed, results } = await runTests(ctx, { definition, workspace_id, workflow_id: id, signal: ctx.signal })
  if (failed === 0) return row.revision
  throw errors.tests_failed({
    detail: `${failed === 1 ? 'One test' : `${failed} tests`} of ${results.length} failed.`,
    extra: { results: results.filter(({ ok }) => !ok) as unknown as Json },
  })
}

const shownVersion = async <T extends store.VersionSummaryRow>(ctx: Ctx, workspace_id: string, row: T) => {
  const [triggers = []] = await shownTriggers(ctx, workspace_id, [row.triggers])
  return { ...row, triggers }
}

/** Errors: 404 `workflows.not_found`. */
export const listVersions = async (
  ctx: Ctx,
  id: string,
  page: { readonly after: number | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly VersionSummary[]> => {
  const [{ workspace_id }, rows] = await Promise.all([summary(ctx, id), store.listVersions(ctx.db, id, page)])
  const triggers = await shownTriggers(
    ctx,
    workspace_id,
    rows.map((row) => row.triggers),
  )
  return rows.map((row, index) => ({ ...row, triggers: triggers[index] ?? [] }))
}

export const countVersions = (ctx: Ctx, id: string): Promise<number> => store.countVersions(ctx.db, id)

/** A version never changes: its number is its revision. Errors: 404 `workflows.not_found`, 404 `workflows.version_not_found`. */
export const version = async (ctx: Ctx, id: string, number: number): Promise<Revised<Version>> => {
  const [{ workspace_id }, row] = await Promise.all([summary(ctx, id), store.versionByNumber(ctx.db, id, number)])
  if (row === undefined) throw errors.version_not_found()
  return { ...(await shownVersion(ctx, workspace_id, row)), revision: number }
}

/** Makes the draft what a version was. What is published stays as it is. Errors: 404, 412, 409 `workflows.wrong_status`. */
export const restore = async (ctx: Ctx, id: string, number: number, revision: number | null): Promise<Revised<Workflow>> =>
  ctx.tx(async (tx) => {
    const before = await lock(tx, id, revision)
    if (before.status === 'archived') throw errors.wrong_status({ detail: 'An archived workflow is not changed.' })
    const row = await store.versionByNumber(tx.db, id, number)
    if (row === undefined) throw errors.version_not_found()
    const after = await store.updateWorkflow(tx.db, id, { definition: row.definition }, nowOf(tx))
    const told = { workflow_id: id, name: after.name, revision: after.revision, fields: ['definition'] }
    tx.emit(events.updated, told, changesOf(before, after))
    return get(tx, id)
  })
