import { Type } from 'typebox'
import type { Finished } from '../../../engine/contract.ts'
import { engine, type Running } from '../../../engine/engine.ts'
import { most_hops } from '../../../engine/hops.ts'
import { readFinished } from '../../../engine/outcome.ts'
import { effect, Later, NodeFailure, type NodeIo, type NodeResult } from '../../../engine/node.ts'
import { isJsonObject, type Json } from '../../../lib/json.ts'
import type { Ctx } from '../../../platform/context.ts'
import { isTransient } from '../../../platform/database/errors.ts'
import { Problem } from '../../../platform/errors.ts'
import { errors } from '../errors.ts'
import { start } from '../start.ts'
import { summary } from '../workflows.ts'

/** So long the caller stays in memory: most workflows have ended by then. */
const hold_ms = 2_000
/** Between two looks, should nobody wake the caller. */
const look_ms = { first: 1_000, longest: 600_000 }

const Config = Type.Object(
  {
    workflow_id: Type.String({
      minLength: 1,
      description: 'A workflow of the same workspace; the version that is published when the call is made.',
    }),
    input: Type.Optional(
      Type.Unsafe<Json>(Type.Unknown({ description: 'The payload of its trigger; the input of the node when not given.' })),
    ),
    wait: Type.Optional(Type.Boolean({ default: true, description: 'Wait for its end. Nothing is held meanwhile, however long that is.' })),
  },
  { additionalProperties: false },
)

export const callNode = effect({
  type: 'flow.call',
  title: 'Call a workflow',
  description:
    'Starts another workflow and waits for its output. A failure of it fails the step with the same error; whoever ends the caller ends it too. ' +
    'Without `wait` it goes on by itself, and the output is `{ execution_id }`.',
  icon: 'arrow-guide',
  config: Config,
  output: Type.Unknown({ description: 'What the called workflow gave.' }),
  starts_executions: true,
  example: { config: { workflow_id: '0198c5f0-0000-7000-8000-000000000000', input: { order: '{{ trigger.body.id }}' } } },
  stand_in: ({ config }) => ({ output: config.wait === false ? { execution_id: null } : null }),
  run: async ({ config, input }, io) => {
    const { workflow_id, wait: waits = true } = config
    const payload = config.input === undefined ? input : config.input
    try {
      return await call(contextOf(io), io, { workflow_id, payload, waits })
    } catch (error) {
      // The database is away: nobody has failed, and what was begun is found again.
      throw isTransient(error) ? new Later(look_ms.first) : error
    }
  },
})

const call = async (ctx: Ctx, io: NodeIo, wanted: Wanted): Promise<NodeResult> => {
  const { running, execution_id } = await begin(ctx, io, wanted)
  if (!wanted.waits) return { output: { execution_id } }
  const finished = running === null ? null : await within(running, hold_ms, io.signal)
  return resultOf(finished ?? (await readFinished(ctx, execution_id)), execution_id, io)
}

const contextOf = ({ app, workspace_id, execution_id, signal }: NodeIo): Ctx =>
  app.context({
    actor: { type: 'system', reason: 'a step calls another workflow' },
    workspace_id,
    request_id: execution_id,
    log: app.log.child({ execution_id }),
    signal,
  })

interface Wanted {
  readonly workflow_id: string
  readonly payload: Json
  readonly waits: boolean
}

/** The execution that this step calls; `running` when it has just been started here. */
const begin = async (
  ctx: Ctx,
  io: NodeIo,
  { workflow_id, payload, waits }: Wanted,
): Promise<{ readonly execution_id: string; readonly running: Running | null }> => {
  const { workspace_id, execution_id: parent_execution_id, failures } = io
  const hops = io.hops + 1
  if (hops > most_hops)
    throw new NodeFailure({ code: 'flow.calls_too_deep', message: `Workflows called each other ${most_hops} times in a row` })
  const path = failures === 0 ? io.path : `${io.path}~${failures}`
  const reserved = await ctx.use(engine).reserveCall({ execution_id: ctx.newId(), workspace_id, parent_execution_id, path, hops, waits })
  const { execution_id } = reserved
  if (reserved.started) return { execution_id, running: null }
  const { version, trigger_node_id } = await published(ctx, workflow_id, workspace_id)
  const mode = isJsonObject(io.scope.execution) && io.scope.execution['mode'] === 'test' ? 'test' : 'live'
  const caller = { parent_execution_id, hops, waits }
  try {
    const running = await start(ctx, { execution_id, workspace_id, workflow_id, version, mode, trigger_node_id, payload, call: caller })
    await running.accepted
    return { execution_id, running }
  } catch (error) {
    // It may be no more than a server that stops, or a month whose executions are used up.
    if (error instanceof Problem && !isTransient(error))
      throw new NodeFailure({ code: error.code, message: error.message, retryable: error.declaration.status >= 500 })
    throw error
  }
}

const published = async (
  ctx: Ctx,
  workflow_id: string,
  workspace_id: string,
): Promise<{ readonly version: number; readonly trigger_node_id: string }> => {
  const workflow = await summary(ctx, workflow_id).catch((error: unknown) => {
    if (error instanceof Problem && error.code === errors.not_found.code) return null
    throw error
  })
  if (workflow === null || workflow.workspace_id !== workspace_id)
    throw new NodeFailure({
      code: 'flow.call_not_found',
      message: `The workspace has no workflow ${workflow_id}`,
      details: { workflow_id },
    })
  const { status, version, triggers, name } = workflow
  if (status !== 'active' || version === null)
    throw new NodeFailure({
      code: 'flow.call_not_active',
      message: `The workflow "${name}" is ${status}`,
      retryable: true,
      details: { workflow_id },
    })
  const trigger = triggers.find(({ type }) => type === 'trigger.manual') ?? triggers[0]
  if (trigger === undefined)
    throw new NodeFailure({ code: 'flow.call_no_trigger', message: `Every trigger of "${name}" is disabled`, details: { workflow_id } })
  return { version, trigger_node_id: trigger.node_id }
}

/** Null when it has not ended within the time. */
const within = async ({ finished }: Running, ms: number, signal: AbortSignal): Promise<Finished | null> => {
  const over = Promise.withResolvers<null>()
  const end = (): void => over.resolve(null)
  const timer = setTimeout(end, ms)
  signal.addEventListener('abort', end, { once: true })
  try {
    return await Promise.race([finished, over.promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}

const resultOf = (finished: Finished | null, execution_id: string, io: NodeIo): NodeResult => {
  if (finished === null) throw new Later(Math.min(look_ms.first * 2 ** Math.min(io.attempt - 1, 20), look_ms.longest), { asleep: true })
  if (finished.status === 'succeeded') return { output: finished.output }
  const { error } = finished
  if (error === null)
    throw new NodeFailure({ code: 'flow.call_cancelled', message: 'The called execution was cancelled', details: { execution_id } })
  throw new NodeFailure({ code: error.code, message: error.message, details: { ...error.details, execution_id } })
}
