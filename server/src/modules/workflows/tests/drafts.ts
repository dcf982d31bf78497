import type { DefinitionNode } from '../../../engine/graph/definition.ts'
import type { ExecutionView } from '../../../engine/history.ts'
import { type Draft, upTo } from '../../../engine/rehearsal/draft.ts'
import { isJsonObject, type Json } from '../../../lib/json.ts'
import type { Ctx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { errors } from '../errors.ts'
import { get, within } from '../executions.ts'
import { problemsOf, refuse } from '../publish.ts'
import type { Definition } from '../schema.ts'
import { start } from '../start.ts'
import * as store from '../store.ts'
import { triggersOf } from '../webhooks.ts'
import { workspaceOf } from '../workflows.ts'
import type { NewTestRun } from './schema.ts'

/**
 * Runs the draft as it stands, without publishing it: an execution in mode `test`, as durable as any, of version 0. Answers when it is durable;
 * with `wait_ms`, when it has ended (`in_time`) or that time is over. Errors: 404 `workflows.not_found`, 412, 409 `workflows.wrong_status` for
 * an archived workflow, 409 `workflows.no_trigger`, 422 `workflows.not_publishable` with every problem, 422 `http.validation_failed`,
 * 402 `plans.limit_reached`, 503 `engine.draining`.
 */
export const testDraft = async (
  ctx: Ctx,
  id: string,
  input: NewTestRun,
  revision: number | null,
): Promise<{ readonly in_time: boolean; readonly execution: ExecutionView }> => {
  const workflow = await store.workflowById(ctx.db, id)
  if (workflow === undefined) throw errors.not_found()
  requireRevision(workflow, revision)
  if (workflow.status === 'archived') throw errors.wrong_status({ detail: 'An archived workflow is not run.' })
  const { definition } = workflow
  refuse(await problemsOf(ctx, id, definition))
  const draft = draftOf(definition, input)
  const trigger_node_id = triggerOf(definition, input)
  const running = await start(ctx, {
    ...{ workspace_id: workspaceOf(ctx), workflow_id: id, version: 0, mode: 'test', trigger_node_id, draft },
    payload: payloadOf(draft, trigger_node_id, input),
  })
  await running.accepted
  const { wait_ms = 0 } = input
  if (wait_ms > 0) await within(running.finished, wait_ms, ctx.signal)
  const execution = await get(ctx, running.execution_id, { payloads: wait_ms > 0 })
  return { in_time: wait_ms > 0 && execution.finished_at !== null, execution }
}

const mistake = (path: string, message: string) => httpErrors.validation_failed({ errors: [{ path, message }] })

const draftOf = (definition: Definition, input: NewTestRun): Draft => {
  const { tests: _, pins = {}, ...rest } = definition
  const { until_node = null, dry_run = false, replies = {} } = input
  const known = idsOf(definition.nodes)
  for (const id of Object.keys(input.pins ?? {})) if (!known.has(id)) throw mistake(`pins.${id}`, 'There is no such node')
  for (const path of Object.keys(replies))
    if (!known.has(path.slice(path.lastIndexOf('.') + 1))) throw mistake(`replies.${path}`, 'There is no such node')
  if (until_node !== null && !definition.nodes.some(({ id }) => id === until_node)) {
    const inside = known.has(until_node)
    throw mistake('until_node', inside ? 'It stands in a loop; name the loop' : 'There is no such node')
  }
  return { definition: rest, pins: { ...pins, ...(input.pins as Draft['pins'] | undefined) }, replies, until_node, dry_run }
}

/** Those in bodies of loops too. */
const idsOf = (nodes: readonly DefinitionNode[], found = new Set<string>()): ReadonlySet<string> => {
  for (const { id, config } of nodes) {
    found.add(id)
    const body = config?.['body']
    if (isJsonObject(body) && Array.isArray(body['nodes'])) idsOf(body['nodes'], found)
  }
  return found
}

/** The trigger that is asked for, or the first that leads to where it is to end. */
const triggerOf = (definition: Definition, { trigger_node_id, until_node }: NewTestRun): string => {
  const triggers = triggersOf(definition)
  if (triggers.length === 0) throw errors.no_trigger()
  if (trigger_node_id !== undefined && !triggers.some(({ node_id }) => node_id === trigger_node_id))
    throw mistake('trigger_node_id', 'There is no such trigger, or it is disabled')
  const before = until_node === undefined ? null : new Set(upTo(definition, until_node).nodes.map(({ id }) => id))
  const leading = before === null ? triggers : triggers.filter(({ node_id }) => before.has(node_id))
  const chosen =
    trigger_node_id === undefined
      ? (leading.find(({ type }) => type === 'trigger.manual') ?? leading[0])
      : leading.find(({ node_id }) => node_id === trigger_node_id)
  if (chosen === undefined) throw mistake('until_node', 'No way leads there from the trigger')
  return chosen.node_id
}

const payloadOf = ({ pins }: Draft, trigger_node_id: string, { input }: NewTestRun): Json => {
  if (input !== undefined) return input as Json
  return Object.hasOwn(pins, trigger_node_id) ? (pins[trigger_node_id] as Json) : {}
}
