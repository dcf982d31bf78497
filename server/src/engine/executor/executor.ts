import { setTimeout as pause } from 'node:timers/promises'
import type { Sql } from 'postgres'
import type { JsonObject } from '../../lib/json.ts'
import type { App } from '../../platform/context.ts'
import { isTransient } from '../../platform/database/errors.ts'
import { type CompiledVersion, scopeFor } from '../compile.ts'
import type { Running, StartExecution } from '../contract.ts'
import { errors } from '../errors.ts'
import { begin } from '../graph/plan.ts'
import type { Json } from '../../lib/json.ts'
import type { LineName } from '../lines/admit.ts'
import { type Doorkeeper, openDoorkeeper } from '../lines/doorkeeper.ts'
import type { Place } from '../lines/place.ts'
import { placeIn, standingOf } from '../lines/standing.ts'
import type { NewExecution } from '../journal/record.ts'
import { openCalls, wakeOne } from '../journal/calls.ts'
import { setAside } from '../journal/large-records.ts'
import { type JournalWriter, journalWriter } from '../journal/writer.ts'
import { claim, type Claimed, endRequests, freeStrays, requestCancel } from '../leases/claim.ts'
import type { LeaseRow } from '../leases/lease-sql.ts'
import { holdLease, type Lease, type Work } from '../leases/lease.ts'
import type { Versions } from '../versions.ts'
import { setAlarm } from './alarm.ts'
import { type Held, holdExecution } from './execution.ts'
import { type Holding, openHolding } from './holding.ts'
import { type Afar, openAfar } from './afar.ts'
import type { Host } from './live.ts'
import { giveUp, revive, withResume } from './take-up.ts'
import { resumeTokens } from '../waits/resume-tokens.ts'
import { deliver } from '../waits/waits.ts'
import { variablesFor } from './variables.ts'
import { openWatchers, type Watchers } from './watchers.ts'

/** Everything that this process executes: starts, takes up what is queued, lets go on the way out. */
export interface Executor {
  readonly start: (input: StartExecution) => Running | Promise<Running>
  /** True when this process holds the execution and ends it now. */
  readonly cancel: (execution_id: string) => boolean
  /** Lets one that this process holds come to rest, or go on. The database knows already. */
  readonly pause: (execution_id: string) => void
  readonly unpause: (execution_id: string) => void
  /** Executions were queued: they are taken up while there is room. */
  readonly wake: () => void
  /** Writes what a waiting step was called with into the journal of its execution, if that sleeps. Never rejects. */
  readonly bring: (execution_id: string) => Promise<void>
  /** Somebody has come to stand in a line, or a slot of it has become free. */
  readonly ask: (line: LineName) => void
  /** The limits of a workflow have changed. */
  readonly limitsChanged: (workflow_id: string) => void
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
  /** Ids of the jobs that this process knows. */
  readonly jobs: readonly string[]
  /** Jobs that recur are due. Never rejects. */
  readonly onDue: () => Promise<void>
}

/** Effects that are in flight when the server stops get this long to come back. */
const grace_ms = 10_000
/** Executions taken up at a time. */
const claim_batch = 200
/** What has become free is used at once when it is as much, else after a moment, in which more may become free. */
const worthwhile = (capacity: number): number => Math.max(1, Math.min(claim_batch, Math.floor(capacity / 50)))
const moment_ms = 50
/** Between two tries to take up an execution while the database is away. */
const again_ms = 200

/** What the parts of one executor share. */
interface Shared {
  readonly options: ExecutorOptions
  readonly held: Holding
  readonly watchers: Watchers
  readonly afar: Afar
  readonly doorkeeper: Doorkeeper
  readonly host: Host
  readonly lease: () => Lease
  draining: boolean
  /** Executions wait that were not taken up for want of room. */
  more: boolean
  /** How many were held when the last of them was taken up. */
  filled: number
  /** They are looked at soon. */
  soon: boolean
  /** Where the last claim stopped looking. */
  reached: string | null
  claiming: Promise<void> | null
  /** A claim has failed: executions may be this worker's in the database and in nobody's memory. */
  stray: boolean
}

export const openExecutor = async (options: ExecutorOptions): Promise<Executor> => {
  const { app, sql } = options
  const host = hostOf(
    options,
    () => shared,
    (entry) => writer.commit(entry),
  )
  const watchers = openWatchers()
  const shared: Shared = {
    options,
    held: openHolding(options.capacity),
    watchers,
    afar: openAfar({ sql, watchers, log: app.log, source: app.asSystem('whoever waits for an execution is told of its end') }),
    doorkeeper: openDoorkeeper({
      ...{ sql, log: app.log, now: app.now },
      onAdmitted: () => void takeUp(shared, { queued: true, cancels: false, due: false, in_line: false }),
    }),
    host,
    lease: () => lease,
    draining: false,
    more: false,
    filled: 0,
    soon: false,
    reached: null,
    claiming: null,
    stray: false,
  }
  const lease = await holdLease({
    sql,
    worker_id: app.instance_id,
    takeover_ms: options.takeover_ms,
    now: app.now,
    jobs: options.jobs,
    log: app.log,
    onLost: () => {
      dropAll(shared)
      writer.drop()
    },
    onWork: (work) => takeUp(shared, work),
  })
  const writer = journalWriter({
    sql,
    lease: lease.row,
    setAside: (entry) => setAside(app, entry),
    log: app.log,
    now: app.now,
    onLeaseLost: lease.lost,
    onEvents: app.database.committed.raise,
  })
  return executorOf(shared, lease, writer)
}

const hostOf = (options: ExecutorOptions, of: () => Shared, commit: Host['commit']): Host => {
  const { app, random, step_timeout_ms } = options
  const released = (execution_id: string): void => {
    of().held.remove(execution_id)
    if (of().more) makeUse(of())
  }
  return {
    ...{ app, random, step_timeout_ms, commit, released },
    alarm: (at, ring) => setAlarm(app.now, at, ring),
    sleeps: true,
    resumeUrl: (execution_id) => app.use(resumeTokens).urlFor(execution_id),
    launching: () => !of().draining,
    ended: ({ execution_id, workflow_id, call = null, line = null }, version) => {
      if (line !== null) of().doorkeeper.ask({ workflow_id, line })
      if (call?.waits === true) void afterwards(of(), execution_id, () => wakeParent(of(), call.parent_execution_id))
      if (version.starts_executions) void afterwards(of(), execution_id, () => endCalls(of(), execution_id))
    },
    asleep: ({ execution_id, workflow_id, line = null }, { cancelled, waits }) => {
      released(execution_id)
      // Where it was paused, its slot is free.
      if (line !== null) of().doorkeeper.ask({ workflow_id, line })
      of().watchers.forget(execution_id)
      if (cancelled) void cancelAsleep(of(), execution_id)
      else if (waits) void bring(of(), execution_id)
    },
  }
}

const executorOf = (shared: Shared, lease: Lease, writer: JournalWriter): Executor => {
  const { versions } = shared.options
  return {
    start: (input) => {
      if (shared.draining) throw errors.draining()
      const version = versions.get(input.workflow_id, input.version, input.draft)
      return version instanceof Promise ? version.then((loaded) => startBy(shared, input, loaded)) : startBy(shared, input, version)
    },
    cancel: (execution_id) => {
      const execution = shared.held.get(execution_id)
      execution?.cancel()
      return execution !== undefined
    },
    pause: (execution_id) => shared.held.get(execution_id)?.pause(),
    unpause: (execution_id) => shared.held.get(execution_id)?.unpause(),
    wake: () => void takeUp(shared, { queued: true, cancels: false, due: false, in_line: false }),
    bring: (execution_id) => bring(shared, execution_id),
    ask: shared.doorkeeper.ask,
    limitsChanged: shared.doorkeeper.askAll,
    recover: lease.recover,
    drain: async () => {
      shared.draining = true
      await shared.claiming
      await atMost(grace_ms, Promise.all(shared.held.values().map((execution) => execution.settled())))
    },
    stop: async () => {
      shared.draining = true
      shared.afar.stop()
      await shared.doorkeeper.stop()
      dropAll(shared)
      await atMost(grace_ms, writer.drained())
      writer.close()
      await lease.stop()
    },
  }
}

const atMost = async (ms: number, work: Promise<unknown>): Promise<void> => {
  const over = Promise.withResolvers<void>()
  const timer = setTimeout(over.resolve, ms)
  await Promise.race([work, over.promise])
  clearTimeout(timer)
}

const dropAll = ({ held }: Shared): void => {
  for (const execution of held.values()) execution.drop()
  held.clear()
}

const hold = ({ held }: Shared, execution: Held, go: 'begin' | 'cancel' | 'pause'): void => {
  // Of an earlier run of it: it has ended, durably, and the answer that says so is still on its way.
  held.get(execution.execution_id)?.drop()
  held.add(execution)
  execution[go]()
}

/** With the variables that it names as they are now, which this process has in memory as a rule. */
const startBy = (shared: Shared, input: StartExecution, version: CompiledVersion): Running | Promise<Running> => {
  const vars = variablesFor(shared.options.app, input.workspace_id, version)
  return vars instanceof Promise ? vars.then((found) => startWith(shared, input, version, found)) : startWith(shared, input, version, vars)
}

const startWith = (shared: Shared, input: StartExecution, version: CompiledVersion, vars: JsonObject | null): Running => {
  const { host, held } = shared
  if (shared.draining) throw errors.draining()
  const { workspace_id, workflow_id, mode, payload, trigger_node_id, draft } = input
  const trigger_type = version.triggerType(trigger_node_id)
  if (trigger_type === null) throw errors.unknown_trigger()
  const started_at = host.app.now()
  const execution_id = input.execution_id ?? host.app.newId()
  const { version: number, call = null, priority = version.priority } = input
  const place = placeIn(version, input)
  const full = place === null && !held.hasRoom(workspace_id)
  const beginning: NewExecution = {
    workflow_id,
    version: input.version,
    mode,
    trigger_type,
    trigger_node_id,
    status: full || place !== null ? 'queued' : 'running',
    held: !full && place === null,
    once: input.once === undefined ? null : { key: input.once.key, until: new Date(input.once.until).toISOString() },
    started_at: new Date(started_at).toISOString(),
  }
  const standing = standingOf(version, { priority, place, started_at })
  const row = standing === null ? beginning : { ...beginning, standing }
  if (full || place !== null) return queue(shared, { execution_id, workspace_id, row, payload, draft, started_at, place })
  const { running, listener } = shared.watchers.open(execution_id)
  const itself = { execution_id, workspace_id, workflow_id, version: number, mode, call, started_at }
  const facts = withResume(host, version, vars === null ? itself : { ...itself, vars })
  const run = begin(version.graph, { node_id: trigger_node_id, payload, at: started_at })
  const scope = scopeFor({ version, run, facts })
  hold(
    shared,
    holdExecution({ host, facts, version, run, scope, next_seq: 0, accept: { row, payload, draft }, vars_due: vars, listener }),
    'begin',
  )
  return running
}

/** What is accepted and held by nobody. */
interface Queued {
  readonly execution_id: string
  readonly workspace_id: string
  readonly row: NewExecution
  readonly payload: Json
  readonly draft: StartExecution['draft']
  readonly started_at: number
  readonly place: Place | null
}

const queue = (shared: Shared, { execution_id, workspace_id, row, payload, draft, started_at, place }: Queued): Running => {
  const { running, listener } = shared.watchers.prepare(execution_id)
  if (place === null) {
    shared.more = true
    shared.filled = Math.max(shared.filled, shared.held.size())
  }
  const body = JSON.stringify({ at: started_at, trigger: { node_id: row.trigger_node_id, payload }, draft, steps: [] })
  const accepted = (): void => {
    listener.accepted()
    if (place !== null) shared.doorkeeper.ask({ workflow_id: row.workflow_id, line: place.line })
  }
  shared.host
    .commit({ execution_id, workspace_id, seq: 0, body, accept: row, finish: null, wake_at: null })
    .then(accepted, listener.refused)
  return shared.afar.follow(running, listener)
}

/** A step that waits to be called may have been called while the execution was still held. What fails here is brought by the sweeper. */
const bring = async (shared: Shared, execution_id: string): Promise<void> => {
  const { app, sql } = shared.options
  try {
    if (await deliver(sql, execution_id, app.now())) await takeUp(shared, { queued: true, cancels: false, due: false, in_line: false })
  } catch (error) {
    app.log.warn({ err: error, execution_id }, 'an execution that sleeps could not be told what it was called with; it will be tried again')
  }
}

/** Its end was asked for while the record was written by which it sleeps. */
const cancelAsleep = async ({ options }: Shared, execution_id: string): Promise<void> => {
  try {
    await requestCancel(options.sql, execution_id)
  } catch (error) {
    options.app.log.error({ err: error, execution_id }, 'an execution that sleeps could not be ended')
  }
}

/** What comes after an end and is not worth more than one try: whoever waits looks after it by itself sooner or later. */
const afterwards = async ({ options }: Shared, execution_id: string, work: () => Promise<void>): Promise<void> => {
  try {
    await work()
  } catch (error) {
    options.app.log.warn({ err: error, execution_id }, 'those who are concerned by the end of an execution were not told of it')
  }
}

const wakeParent = async (shared: Shared, parent_execution_id: string): Promise<void> => {
  if (await wakeOne(shared.options.sql, parent_execution_id))
    await takeUp(shared, { queued: true, cancels: false, due: false, in_line: false })
}

/** Nobody waits any more for the executions that this one has called. */
const endCalls = async ({ options, held }: Shared, execution_id: string): Promise<void> => {
  for (const id of await openCalls(options.sql, execution_id)) {
    const here = held.get(id)
    if (here === undefined) await requestCancel(options.sql, id)
    else here.cancel()
  }
}

/** Does what the lease's heartbeat has found: ends what is to end, takes up what is queued while there is room. */
const takeUp = async (shared: Shared, work: Work): Promise<void> => {
  const { options, held } = shared
  if (work.in_line) shared.doorkeeper.sweep()
  if (work.due && !shared.draining) await options.onDue()
  if (work.cancels)
    for (const { id, cancel_requested } of await endRequests(options.sql, shared.lease().row().id))
      held.get(id)?.[cancel_requested ? 'cancel' : 'pause']()
  if (!work.queued || shared.draining) return
  shared.claiming ??= takeUpAll(shared)
    .catch((error: unknown) => {
      options.app.log.warn({ err: error }, 'taking up queued executions failed; it will be tried again')
      shared.stray = true
      setTimeout(() => void takeUp(shared, work), again_ms).unref()
    })
    .finally(() => void (shared.claiming = null))
  await shared.claiming
}

const takeUpAll = async (shared: Shared): Promise<void> => {
  const { options, held } = shared
  shared.more = true
  if (shared.stray) {
    await freeStrays(options.sql, shared.lease().row(), (id) => held.has(id))
    shared.stray = false
  }
  while (!shared.draining && held.size() < options.capacity) {
    const { capacity, jobs } = options
    const room = Math.min(claim_batch, capacity - held.size())
    const lease = shared.lease().row()
    const { claimed, more, reached } = await claim(options.sql, lease, {
      room,
      jobs,
      capacity,
      holds: held.byWorkspace(),
      after: shared.reached,
    })
    for (const execution of claimed) await takeUpOne(shared, execution, lease)
    shared.reached = reached
    shared.more = more
    if (!more || (claimed.length === 0 && reached === null)) break
  }
  shared.filled = held.size()
}

/** Something has become free while others wait. */
const makeUse = (shared: Shared): void => {
  if (shared.draining) return
  const go = (): void => void takeUp(shared, { queued: true, cancels: false, due: false, in_line: false })
  if (shared.claiming === null && shared.filled - shared.held.size() >= worthwhile(shared.options.capacity)) return go()
  if (shared.soon) return
  shared.soon = true
  setTimeout(() => {
    shared.soon = false
    if (shared.more && !shared.draining) go()
  }, moment_ms).unref()
}

/**
 * Until it is in hand: what was claimed is this worker's, so nobody else would ever ask for it. Not when the lease was lost meanwhile:
 * then it is queued again and may be with another.
 */
const takeUpOne = async (shared: Shared, claimed: Claimed, lease: LeaseRow): Promise<void> => {
  const { host, options, watchers } = shared
  const isMine = (): boolean => !shared.draining && shared.lease().row() === lease
  for (;;) {
    try {
      const { execution, go } = await revive({ host, versions: options.versions, claimed, listener: watchers.of(claimed.id) })
      if (isMine()) hold(shared, execution, go)
      return
    } catch (error) {
      if (!isMine()) return
      if (!isTransient(error)) {
        await host.commit(giveUp(options.app, claimed, error))
        if (claimed.line !== null) shared.doorkeeper.ask({ workflow_id: claimed.workflow_id, line: claimed.line })
        return
      }
      await pause(again_ms)
    }
  }
}
