import { defineService } from '../platform/service.ts'
import type { Engine, EnqueueExecution } from './contract.ts'
import { type Controlled, dismissIn, holdQueued, pauseIn, releaseQueued, resumeIn, retryIn } from './control/control.ts'
import { planFork } from './control/fork.ts'
import { insertQueued } from './enqueue.ts'
import { type Executor, openExecutor } from './executor/executor.ts'
import { reserveCall } from './journal/calls.ts'
import type { Standing } from './journal/record.ts'
import { startedUnder } from './journal/started-under.ts'
import { jobTypes } from './job-types.ts'
import { requestCancel } from './leases/claim.ts'
import type { NodeType } from './node.ts'
import { coreNodes } from './nodes/core.ts'
import { layOutSchedules, recurringOf, startDue } from './schedules.ts'
import { settings } from './settings.ts'
import { placeIn, standingOf } from './lines/standing.ts'
import { Problem } from '../platform/errors.ts'
import { errors } from './errors.ts'
import { settleWait } from './waits/waits.ts'
import { insertVersion, openVersions, type Versions } from './versions.ts'

export type { Engine, Finished, Running } from './contract.ts'

/** Every node type there is, by name: the core's and those that modules offer. */
export const nodeTypes = defineService<ReadonlyMap<string, NodeType>>({
  name: 'engine.node_types',
  create: (app) => {
    const offered = app.modules.flatMap((module) => (module.nodes ?? []) as readonly NodeType[])
    const types = new Map<string, NodeType>()
    for (const node of [...coreNodes, ...offered]) {
      if (types.has(node.type)) throw new Error(`two node types are called ${node.type}`)
      types.set(node.type, node)
    }
    return types
  },
})

/** The engine of this process: `ctx.use(engine).start(…)`. */
export const engine = defineService<Engine & EngineLife>({
  name: 'engine',
  create: async (app) => {
    const { system: sql } = app.database
    const { capacity, step_timeout_ms, takeover_ms } = app.settings(settings)
    const read = app.database.readSql({ role: 'millrace_system', user_id: null, workspace_id: null })
    const types = app.use(jobTypes)
    const recurring = recurringOf(types.values())
    await layOutSchedules(sql, app.now(), recurring)
    const versions = openVersions({ read, nodeTypes: app.use(nodeTypes), own: types })
    const executor = await openExecutor({
      ...{ app, sql, versions, capacity, step_timeout_ms, takeover_ms, random: Math.random },
      jobs: [...types.keys()],
      onDue: () => startDue(app, recurring, executor.start),
    })
    return {
      start: executor.start,
      deploy: async (tx, input) => {
        await insertVersion(tx, input)
        tx.afterCommit(() => executor.limitsChanged(input.workflow_id))
      },
      bring: executor.bring,
      resume: async (input) => {
        const settled = await settleWait(sql, input, app.now())
        // It is durable: the caller has its answer even if this process dies now.
        if (settled !== null) await executor.bring(input.execution_id)
        return settled
      },
      startedUnder: (workflow_id, key) => startedUnder(sql, { workflow_id, key, now: app.now() }),
      enqueue: async (tx, input) => {
        const standing = await standingIn(versions, input, tx.now())
        const is_new = await insertQueued(tx, input, standing)
        const line = standing?.in_line?.line
        if (is_new) tx.afterCommit(() => goOn(executor, { workflow_id: input.workflow_id, line: line ?? null }))
        return is_new
      },
      ...controlsOf(executor),
      planFork: (ctx, input) => planFork(ctx, versions, input),
      reserveCall: (call) => reserveCall(sql, call),
      cancel: async (execution_id) => executor.cancel(execution_id) || (await requestCancel(sql, execution_id)),
      life: executor,
    }
  },
  start: ({ life }) => life.recover(),
  drain: ({ life }) => life.drain(),
  stop: ({ life }) => life.stop(),
})

/** What people do to executions, in their transactions. */
const controlsOf = (executor: Executor): Pick<Engine, 'retry' | 'pause' | 'unpause' | 'dismiss' | 'holdQueued' | 'releaseQueued'> => ({
  retry: async (tx, id) => {
    const retried = await retryIn(tx, id)
    if (retried !== null) tx.afterCommit(() => goOn(executor, retried))
    return retried
  },
  pause: async (tx, id) => {
    const paused = await pauseIn(tx, id)
    if (paused !== null) {
      tx.afterCommit(() => executor.pause(id))
      // A slot of its may be free.
      if (paused.line !== null) tx.afterCommit(() => goOn(executor, paused))
    }
    return paused
  },
  unpause: async (tx, id) => {
    const resumed = await resumeIn(tx, id)
    if (resumed !== null) tx.afterCommit(() => (resumed.asleep ? goOn(executor, resumed) : executor.unpause(id)))
    return resumed
  },
  dismiss: dismissIn,
  holdQueued,
  releaseQueued: async (tx, workflow_id) => {
    await releaseQueued(tx, workflow_id)
    tx.afterCommit(executor.wake)
    tx.afterCommit(() => executor.limitsChanged(workflow_id))
  },
})

/** What is queued is taken up; in a line, once it is admitted. */
const goOn = (executor: Executor, { workflow_id, line }: Pick<Controlled, 'workflow_id' | 'line'>): void =>
  line === null ? executor.wake() : executor.ask({ workflow_id, line })

/** How an execution stands that is queued. Of a version that is not there it is not said: whoever takes it up says that. */
const standingIn = async (versions: Versions, input: EnqueueExecution, started_at: number): Promise<Standing | null> => {
  try {
    const version = await versions.get(input.workflow_id, input.version)
    const { priority = version.priority } = input
    return standingOf(version, { priority, place: placeIn(version, input), started_at })
  } catch (error) {
    if (error instanceof Problem && error.code === errors.unknown_version.code) return null
    throw error
  }
}

interface EngineLife {
  readonly life: { readonly recover: () => Promise<void>; readonly drain: () => Promise<void>; readonly stop: () => Promise<void> }
}
