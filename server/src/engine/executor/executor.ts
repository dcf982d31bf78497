import type { Sql } from 'postgres'
import type { App } from '../../platform/context.ts'
import type { CompiledVersion } from '../compile.ts'
import { scopeFor } from '../compile.ts'
import type { Finished, Running, StartExecution } from '../contract.ts'
import { errors } from '../errors.ts'
import { begin, replay } from '../graph/plan.ts'
import type { NewExecution, RecordBody } from '../journal/record.ts'
import { isTransient } from '../journal/transient.ts'
import { type JournalWriter, journalWriter } from '../journal/writer.ts'
import { cancelRequests, claim, type Claimed } from '../leases/claim.ts'
import { holdLease, type Lease, type Work } from '../leases/lease.ts'
import type { HttpReply } from '../node.ts'
import type { Versions } from '../versions.ts'
import { type Facts, finishOf, type Held, holdExecution, type Host, type Listener } from './execution.ts'

/** Everything that this process executes: starts, takes up what is queued, lets go on the way out. */
export interface Executor {
  readonly start: (input: StartExecution) => Running | Promise<Running>
  /** True when this process holds the execution and ends it now. */
  readonly cancel: (execution_id: string) => boolean
  readonly recover: () => Promise<void>
  readonly drain: () => Promise<void>
  readonly stop: () => Promise<void>
}

export interface ExecutorOptions {
  readonly app: App
  readonly sql: Sql
  readonly versions: Versions
  readonly capacity: number
  readonly step_timeout_ms: number
  readonly takeover_ms: number
  readonly random: () => number
}

/** Effects that are in flight when the server stops get this long to come back. */
const grace_ms = 10_000
/** Executions taken up at a time. */
const claim_batch = 200
/** An execution that was with this many workers when they died is not given to another. */
const most_recoveries = 25

interface Watcher extends Listener {
  readonly running: Running
}

const watch = (execution_id: string): Watcher => {
  const accepted = Promise.withResolvers<void>()
  const replied = Promise.withResolvers<HttpReply | null>()
  const finished = Promise.withResolvers<Finished>()
  // Whoever starts an execution need not look at all three.
  for (const { promise } of [accepted, replied, finished]) promise.catch(() => {})
  return {
    accepted: accepted.resolve,
    refused: (error) => [accepted, replied, finished].forEach((part) => part.reject(error)),
    replied: replied.resolve,
    finished: finished.resolve,
    running: { execution_id, accepted: accepted.promise, replied: replied.promise, finished: finished.promise },
  }
}

const factsOf = (claimed: Claimed): Facts => ({
  execution_id: claimed.id,
  workspace_id: claimed.workspace_id,
  workflow_id: claimed.workflow_id,
  version: claimed.version,
  mode: claimed.mode,
  started_at: Date.parse(claimed.started_at),
})

export const openExecutor = async (options: ExecutorOptions): Promise<Executor> => {
  const { app, sql, versions } = options
  const held = new Map<string, Held>()
  /** Callers that wait for an execution which this process started and does not hold, or has yet to finish. */
  const watchers = new Map<string, Watcher>()
  let draining = false
  let claiming: Promise<void> | null = null
  let more = false

  const lease: Lease = await holdLease({
    sql,
    worker_id: app.instance_id,
    takeover_ms: options.takeover_ms,
    log: app.log,
    onLost: () => {
      for (const execution of held.values()) execution.drop()
      held.clear()
    },
    onWork: (work) => takeUp(work),
  })
  const writer: JournalWriter = journalWriter({
    sql,
    lease: lease.row,
    log: app.log,
    onLeaseLost: lease.lost,
    onCommitted: () => {},
  })
  const host: Host = {
    app,
    random: options.random,
    step_timeout_ms: options.step_timeout_ms,
    commit: writer.commit,
    launching: () => !draining,
    released: (execution_id) => {
      held.delete(execution_id)
      if (more && held.size < options.capacity / 2) void takeUp({ queued: true, cancels: false })
    },
  }

  const listen = (watcher: Watcher): Listener => ({
    ...watcher,
    refused: (error) => {
      watchers.delete(watcher.running.execution_id)
      watcher.refused(error)
    },
    finished: (end) => {
      watchers.delete(watcher.running.execution_id)
      watcher.finished(end)
    },
  })

  const hold = (execution: Held): void => {
    held.set(execution.execution_id, execution)
    execution.begin()
  }

  const startWith = (input: StartExecution, version: CompiledVersion): Running => {
    if (draining) throw errors.draining()
    const trigger_type = version.triggerType(input.trigger_node_id)
    if (trigger_type === null) throw errors.unknown_trigger()
    const started_at = app.now()
    const full = held.size >= options.capacity
    const { workspace_id, workflow_id, mode, payload, trigger_node_id } = input
    const facts: Facts = { execution_id: app.newId(), workspace_id, workflow_id, version: input.version, mode, started_at }
    const row: NewExecution = {
      workflow_id,
      version: input.version,
      mode,
      trigger_type,
      trigger_node_id,
      status: full ? 'queued' : 'running',
      held: !full,
      started_at: new Date(started_at).toISOString(),
    }
    const watcher = watch(facts.execution_id)
    watchers.set(facts.execution_id, watcher)
    if (full) return queue(facts, row, input, listen(watcher), watcher.running)
    const run = begin(version.graph, { node_id: trigger_node_id, payload, at: started_at })
    const scope = scopeFor({ version, run, facts })
    hold(
      holdExecution({ host, facts, version, run, scope, next_seq: 0, accept: { row, payload }, listener: listen(watcher) }),
    )
    return watcher.running
  }

  const queue = (facts: Facts, row: NewExecution, input: StartExecution, listener: Listener, running: Running): Running => {
    more = true
    const trigger = { node_id: input.trigger_node_id, payload: input.payload }
    const body = JSON.stringify({ at: facts.started_at, trigger, steps: [] })
    const { execution_id, workspace_id } = facts
    writer.commit({ execution_id, workspace_id, seq: 0, body, accept: row, finish: null }).then(listener.accepted, listener.refused)
    return running
  }

  /** Goes on with an execution from its journal. */
  const resume = async (claimed: Claimed): Promise<void> => {
    const version = await versions.get(claimed.workflow_id, claimed.version)
    const [first] = claimed.records
    if (first?.body.trigger === undefined) throw new Error(`the journal of execution ${claimed.id} has no beginning`)
    const facts = factsOf(claimed)
    const steps = claimed.records.flatMap((record) => record.body.steps)
    const run = replay(version.graph, { ...first.body.trigger, at: facts.started_at }, steps)
    const watcher = watchers.get(claimed.id)
    const execution = holdExecution({
      host,
      facts,
      version,
      run,
      scope: scopeFor({ version, run, facts }),
      next_seq: (claimed.records.at(-1)?.seq ?? 0) + 1,
      accept: null,
      listener: watcher === undefined ? null : listen(watcher),
    })
    if (claimed.cancel_requested || claimed.recoveries > most_recoveries) {
      if (!claimed.cancel_requested) app.log.error({ execution_id: claimed.id }, 'every worker that took this execution died: it is cancelled')
      held.set(claimed.id, execution)
      return execution.cancel()
    }
    hold(execution)
  }

  /** Ends an execution that cannot be gone on with, whatever process tries: its version or its journal is damaged. */
  const giveUp = async (claimed: Claimed, cause: unknown): Promise<void> => {
    if (isTransient(cause)) throw cause
    app.log.error({ err: cause, execution_id: claimed.id }, 'an execution cannot be taken up and is failed')
    const at = app.now()
    const error = { code: 'engine.unrecoverable', message: 'The execution could not be taken up again', details: null, node_id: null }
    const body: RecordBody = { at, steps: [], ending: { status: 'failed', error } }
    await writer.commit({
      execution_id: claimed.id,
      workspace_id: claimed.workspace_id,
      seq: (claimed.records.at(-1)?.seq ?? -1) + 1,
      body: JSON.stringify(body),
      accept: null,
      finish: finishOf(app, factsOf(claimed), { status: 'failed', output: null, error }, at),
    })
  }

  const takeUpAll = async (): Promise<void> => {
    more = true
    while (!draining && held.size < options.capacity) {
      const room = Math.min(claim_batch, options.capacity - held.size)
      const claimed = await claim(sql, lease.row(), room)
      for (const execution of claimed) {
        await resume(execution).catch((error: unknown) => giveUp(execution, error))
      }
      if (claimed.length < room) {
        more = false
        return
      }
    }
  }

  const takeUp = async (work: Work): Promise<void> => {
    if (work.cancels) for (const id of await cancelRequests(sql, lease.row().id)) held.get(id)?.cancel()
    if (!work.queued || draining) return
    claiming ??= takeUpAll()
      .catch((error: unknown) => app.log.warn({ err: error }, 'taking up queued executions failed'))
      .finally(() => void (claiming = null))
    await claiming
  }

  return {
    start: (input) => {
      if (draining) throw errors.draining()
      const version = versions.get(input.workflow_id, input.version)
      return version instanceof Promise ? version.then((loaded) => startWith(input, loaded)) : startWith(input, version)
    },
    cancel: (execution_id) => {
      const execution = held.get(execution_id)
      execution?.cancel()
      return execution !== undefined
    },
    recover: lease.recover,
    drain: async () => {
      draining = true
      await claiming
      const quiet = Promise.all([...held.values()].map((execution) => execution.settled()))
      const over = new Promise((resolve) => setTimeout(resolve, grace_ms).unref())
      await Promise.race([quiet, over])
    },
    stop: async () => {
      draining = true
      for (const execution of held.values()) execution.drop()
      held.clear()
      await Promise.race([writer.drained(), new Promise((resolve) => setTimeout(resolve, grace_ms).unref())])
      writer.close()
      await lease.stop()
    },
  }
}
