import type { Json } from '../../../lib/json.ts'
import { isUuid } from '../../../lib/id.ts'
import { limits, type Definition } from '../../../engine/graph/definition.ts'
import type { Ctx } from '../../../platform/context.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { type FieldError, invalid } from '../../../platform/http/validate.ts'
import * as integrations from '../../integrations/integrations.ts'
import { errors } from '../errors.ts'
import type { Workflow } from '../schema.ts'
import { knownSecrets } from '../secrets/store.ts'
import { knownWorkflows } from '../store.ts'
import * as workflows from '../workflows.ts'
import { authorOf, nowOf, type Revised, workspaceOf } from '../workflows.ts'
import type { BuiltIn } from './built-in/define.ts'
import { builtInById, catalogue, revisionOf } from './catalogue.ts'
import * as events from './events.ts'
import { fill } from './fill.ts'
import { generalise, problemsOf } from './generalise.ts'
import {
  definitionFits,
  type Parameter,
  type SaveAsTemplate,
  type Template,
  type TemplateChange,
  type TemplateSummary,
  type UseTemplate,
} from './schema.ts'
import * as store from './store.ts'
import { valuesFor } from './values.ts'

/** So many of its own may a workspace have. */
const most_templates = 200

const needsOf = (parameters: readonly Parameter[]): Template['needs'] => {
  const needed = parameters.filter((parameter) => parameter.default === undefined)
  return {
    integrations: [...new Set(needed.flatMap(({ integration_type }) => integration_type ?? []))],
    secrets: needed.filter(({ refers_to }) => refers_to === 'secret').map(({ name }) => name),
  }
}

const shownBuiltIn = ({ id, title, description, category, icon, parameters }: BuiltIn): TemplateSummary => ({
  ...{ id, title, description, category, icon },
  parameters: [...parameters],
  needs: needsOf(parameters),
  ...{ built_in: true, created_by: null, created_at: null, updated_at: null },
})

const shownRow = ({ workspace_id: _, revision: __, ...row }: store.SummaryRow): TemplateSummary => ({
  ...row,
  needs: needsOf(row.parameters),
  built_in: false,
})

const shown = (row: store.TemplateRow): Revised<Template> => ({
  ...shownRow(row),
  definition: row.definition,
  tests: row.tests,
  revision: row.revision,
})

const builtIns = ({ category, search }: store.Filter): readonly BuiltIn[] => {
  const sought = search?.toLowerCase() ?? ''
  return catalogue.filter(
    (template) =>
      (category === undefined || template.category === category) &&
      (template.title.toLowerCase().includes(sought) || template.description.toLowerCase().includes(sought)),
  )
}

interface ListPage {
  /** The id of the template before, or null at the start. */
  readonly after: string | null
  readonly limit: number
  readonly descending: boolean
}

/** Those that come with the product, then those of the workspace, in the order they were made; `descending` the other way round. */
export const list = async (ctx: Ctx, filter: store.Filter, page: ListPage): Promise<readonly TemplateSummary[]> => {
  const { after, limit, descending } = page
  const inOwn = after !== null && isUuid(after)
  const own = async (room: number): Promise<readonly TemplateSummary[]> =>
    room <= 0 || (descending && after !== null && !inOwn)
      ? []
      : (await store.listTemplates(ctx.db, filter, { after: inOwn ? after : null, limit: room, descending })).map(shownRow)
  const given = (): readonly TemplateSummary[] => {
    const all = descending ? builtIns(filter).toReversed() : builtIns(filter)
    if (after === null || (inOwn && descending)) return all.map(shownBuiltIn)
    if (inOwn) return []
    const order = (id: string): number => catalogue.findIndex((template) => template.id === id) * (descending ? -1 : 1)
    return all.filter(({ id }) => order(id) > order(after)).map(shownBuiltIn)
  }
  if (descending) {
    const first = await own(limit)
    return [...first, ...given()].slice(0, limit)
  }
  const first = given().slice(0, limit)
  return [...first, ...(await own(limit - first.length))]
}

export const count = async (ctx: Ctx, filter: store.Filter): Promise<number> =>
  builtIns(filter).length + (await store.countTemplates(ctx.db, filter))

/** Errors: 404 `workflows.template_not_found`. */
export const get = async (ctx: Ctx, id: string): Promise<Revised<Template>> => {
  const given = builtInById(id)
  if (given !== undefined)
    return {
      ...shownBuiltIn(given),
      definition: given.definition,
      tests: given.tests ?? [],
      revision: revisionOf(given),
    }
  const row = isUuid(id) ? await store.templateById(ctx.db, id) : undefined
  if (row === undefined) throw errors.template_not_found()
  return shown(row)
}

/** What the workspace lacks of that which values name. */
const strangers = async (ctx: Ctx, parameters: readonly Parameter[], values: ReadonlyMap<string, Json>): Promise<readonly FieldError[]> => {
  const ids = (of: Parameter['refers_to']): string[] =>
    parameters.filter(({ refers_to }) => refers_to === of).flatMap(({ name }) => [values.get(name)].flat().filter(isUuid))
  const named = parameters.filter(({ integration_type }) => integration_type !== undefined)
  const [known, secrets, workflow_ids] = [
    await integrations.typesOf(
      ctx,
      named.flatMap(({ name }) => [values.get(name)].filter(isUuid)),
    ),
    await knownSecrets(ctx.db, ids('secret')),
    await knownWorkflows(ctx.db, ids('workflow')),
  ]
  return parameters.flatMap(({ name, integration_type, refers_to }) => {
    const path = `values.${name}`
    const given = [values.get(name)].flat().filter(isUuid)
    if (integration_type !== undefined && given.some((id) => known.get(id)?.type !== integration_type))
      return [{ path, message: `is not an integration of the workspace of the type ${integration_type}` }]
    if (refers_to === 'secret' && given.some((id) => !secrets.has(id))) return [{ path, message: 'is not a secret of the workspace' }]
    if (refers_to === 'workflow' && given.some((id) => !workflow_ids.has(id)))
      return [{ path, message: 'is not a workflow of the workspace' }]
    return []
  })
}

/**
 * Makes a draft from a template. Errors: 404 `workflows.template_not_found`; 422 `http.validation_failed` for values that are missing, do not fit or
 * name what the workspace does not have, and where what comes of them is no definition.
 */
export const use = (ctx: Ctx, id: string, { name, values: given = {} }: UseTemplate): Promise<Revised<Workflow>> =>
  ctx.tx(async (tx) => {
    const { title, description, parameters, definition, tests } = await get(tx, id)
    const { values, mistakes } = valuesFor(parameters, given as { readonly [name: string]: Json })
    const unknown = await strangers(tx, parameters, values)
    if (mistakes.length + unknown.length > 0) throw invalid([...mistakes, ...unknown])
    const whole = { ...definition, ...(tests.length === 0 ? {} : { tests: [...tests] }) } as unknown as Json
    const made = { definition: fill(whole, values) }
    definitionFits(made)
    const workflow = await workflows.create(tx, { name: name ?? title, description, definition: made.definition as unknown as Definition })
    tx.emit(events.templateUsed, { template_id: id, title, workflow_id: workflow.id }, { after: { name: workflow.name } })
    return workflow
  })

/** Everything that somebody has saved; in the system's scope. */
export const templatesBy = (ctx: Ctx, user_id: string) => store.templatesBy(ctx.db, user_id)

const told = ({ title, description, category, icon, parameters, definition, revision }: store.TemplateRow) => ({
  ...{ title, description, category, icon, revision },
  parameters: parameters.map(({ name }) => name),
  definition: { nodes: definition.nodes.length, edges: definition.edges.length },
})

const requireOrder = (template: Pick<store.TemplateRow, 'parameters' | 'definition' | 'tests'>): void => {
  const problems = problemsOf(template)
  if (problems.length > 0) throw invalid(problems)
  const bytes = Buffer.byteLength(JSON.stringify([template.definition, template.tests, template.parameters]))
  if (bytes > limits.bytes)
    throw errors.definition_too_large({
      errors: [{ path: 'definition', message: `must be at most ${limits.bytes} bytes of JSON with its tests; it has ${bytes}` }],
    })
}

/**
 * Keeps what a workflow is at the moment as a template of the workspace: ids of integrations, secrets and other workflows, and what the caller
 * points at, become parameters. Errors: 404 `workflows.not_found`, 409 `workflows.too_many_templates`, 422.
 */
export const save = async (ctx: Ctx, workflow_id: string, input: SaveAsTemplate, revision: number | null): Promise<Revised<Template>> =>
  ctx.tx(async (tx) => {
    const workflow = await workflows.lock(tx, workflow_id, revision)
    if ((await store.countTemplates(tx.db, {})) >= most_templates) throw errors.too_many_templates()
    const { parameters, definition, tests } = await generalise(tx, workflow.definition, input.parameters ?? [])
    requireOrder({ parameters, definition, tests })
    const row = await store.insertTemplate(tx.db, {
      id: tx.newId(),
      workspace_id: workspaceOf(tx),
      title: input.title ?? workflow.name,
      description: input.description ?? workflow.description,
      category: input.category ?? 'own',
      icon: input.icon ?? 'template',
      parameters,
      definition,
      tests,
      created_by: authorOf(tx),
      created_at: nowOf(tx),
    })
    tx.emit(events.templateCreated, { template_id: row.id, title: row.title, workflow_id }, { after: told(row) })
    return shown(row)
  })

/** One of the workspace's own, for a change. Errors: 404, 409 `workflows.template_built_in`, 412. */
const lock = async (ctx: Parameters<Parameters<Ctx['tx']>[0]>[0], id: string, revision: number | null): Promise<store.TemplateRow> => {
  if (builtInById(id) !== undefined) throw errors.template_built_in()
  const row = isUuid(id) ? await store.lockTemplate(ctx.db, id) : undefined
  if (row === undefined) throw errors.template_not_found()
  requireRevision(row, revision)
  return row
}

/** Changes the given fields. Errors: 404, 409 `workflows.template_built_in`, 412, 422. */
export const update = (ctx: Ctx, id: string, change: TemplateChange, revision: number | null): Promise<Revised<Template>> =>
  ctx.tx(async (tx) => {
    const before = await lock(tx, id, revision)
    requireOrder({ ...before, ...change })
    const row = await store.updateTemplate(tx.db, id, change, nowOf(tx))
    tx.emit(
      events.templateUpdated,
      { template_id: id, title: row.title, fields: Object.keys(change) },
      { before: told(before), after: told(row) },
    )
    return shown(row)
  })

/** What was made from it stays. Errors: 404, 409 `workflows.template_built_in`, 412. */
export const remove = (ctx: Ctx, id: string, revision: number | null): Promise<void> =>
  ctx.tx(async (tx) => {
    const row = await lock(tx, id, revision)
    await store.deleteTemplate(tx.db, id)
    tx.emit(events.templateDeleted, { template_id: id, title: row.title }, { before: told(row) })
  })
