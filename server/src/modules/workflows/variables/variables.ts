import type { Definition } from '../../../engine/graph/definition.ts'
import { namedVariables } from '../../../engine/named-variables.ts'
import type { Json } from '../../../lib/json.ts'
import type { Ctx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import type { Problem } from '../schema.ts'
import { authorOf, nowOf, type Revised, workspaceOf } from '../workflows.ts'
import type { Variable, VariableChange } from './schema.ts'
import * as store from './store.ts'

/** Of one value, and of all of a workspace together: each start may keep a copy of what it names. In bytes of JSON. */
const most = { count: 200, value: 32_768, all: 1_048_576 }

export const list = (ctx: Ctx, page: Parameters<typeof store.listVariables>[1]): Promise<readonly Variable[]> =>
  store.listVariables(ctx.db, page)

export const count = async (ctx: Ctx): Promise<number> => (await store.measure(ctx.db, '')).count

/** Errors: 404 `workflows.variable_not_found`. */
export const get = async (ctx: Ctx, name: string): Promise<Revised<Variable>> => {
  const row = await store.variableByName(ctx.db, name)
  if (row === undefined) throw errors.variable_not_found()
  return row
}

/**
 * Makes a variable, or changes it, for what starts from now on. Errors: 412 when it is not at `revision` (null: any, or none yet), 409
 * `workflows.too_many_variables`, 422.
 */
export const put = (
  ctx: Ctx,
  name: string,
  change: VariableChange,
  revision: number | null,
): Promise<{ readonly is_new: boolean; readonly variable: Revised<Variable> }> => {
  const value = change.value as Json
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes > most.value)
    throw httpErrors.validation_failed({
      errors: [{ path: 'value', message: `must be at most ${most.value} bytes of JSON; it has ${bytes}` }],
    })
  return ctx.tx(async (tx) => {
    const before = await store.lockVariable(tx.db, name)
    if (before === undefined && revision !== null) throw httpErrors.precondition_failed()
    if (before !== undefined) requireRevision(before, revision)
    const held = await store.measure(tx.db, name)
    if ((before === undefined && held.count >= most.count) || held.bytes + bytes > most.all) throw errors.too_many_variables()
    const row = { name, value, description: change.description ?? before?.description ?? '', updated_by: authorOf(tx) }
    const at = nowOf(tx)
    const variable =
      before === undefined
        ? await store.insertVariable(tx.db, { ...row, workspace_id: workspaceOf(tx), created_at: at })
        : await store.updateVariable(tx.db, { ...row, updated_at: at })
    if (variable === undefined) throw errors.variable_exists()
    tx.emit(events.variableSet, { name, created: before === undefined }, { after: { name, description: row.description } })
    return { is_new: before === undefined, variable }
  })
}

/** Errors: 404 `workflows.variable_not_found`, 412. */
export const remove = (ctx: Ctx, name: string, revision: number | null): Promise<void> =>
  ctx.tx(async (tx) => {
    const before = await store.lockVariable(tx.db, name)
    if (before === undefined) throw errors.variable_not_found()
    requireRevision(before, revision)
    await store.deleteVariable(tx.db, name)
    tx.emit(events.variableDeleted, { name }, { before: { name } })
  })

/** Variables that a definition names and the workspace does not have: a warning, because they may come before it runs. */
export const variableProblems = async (ctx: Ctx, definition: Definition): Promise<readonly Problem[]> => {
  const named = definition.nodes.map((node) => namedVariables([node]))
  const names = [...new Set(named.flatMap((set) => (set === null || set === 'all' ? [] : [...set])))]
  if (names.length === 0) return []
  const known = await store.namesAmong(ctx.db, names)
  return named.flatMap((set, index): readonly Problem[] => {
    if (set === null || set === 'all') return []
    const missing = [...set].filter((name) => !known.has(name))
    const node_id = definition.nodes[index]?.id ?? ''
    return missing.map((name) => ({
      node_id,
      path: `/nodes/${index}/config`,
      severity: 'warning',
      message: `The workspace has no variable "${name.slice(0, 64)}"`,
    }))
  })
}

/** Everything that somebody was the last to set; in the system's scope. */
export const variablesBy = (ctx: Ctx, user_id: string) => store.variablesBy(ctx.db, user_id)
