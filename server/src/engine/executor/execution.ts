import { Problem } from '../../platform/errors.ts'
import { errors } from '../errors.ts'
import { deadline, isWanted, openOnes, outcomeOf, type Ready, type Step, wakeAt } from '../graph/plan.ts'
import type { Entry } from '../journal/record.ts'
import { type End, entryOf, type Recorded } from './entry.ts'
import { addAlarm, type Beginning, letGo, type Live } from './live.ts'
import { launch, runPure, settleHere } from './steps.ts'

/** An execution that this process holds. */
export interface Held {
  readonly execution_id: string
  readonly workspace_id: string
  /** Does what can be done; called once. */
  readonly begin: () => void
  readonly cancel: () => void
  /** Begins nothing new, and sleeps as soon as all that is in flight has come back. */
  readonly pause: () => void
  /** Takes that back, where it does not sleep yet. */
  readonly unpause: () => void
  /** Lets go without a word in the journal: whoever recovers it goes on from what is durable. */
  readonly drop: () => void
  /** Resolves when no effect is in flight. */
  readonly settled: () => Promise<void>
  /** Nothing is in flight, being written or to be done: it waits for an alarm, or has ended. */
  readonly isIdle: () => boolean
}

/**
 * One execution, held in memory by this process.
 *
 *   advance: fold what effects have brought → run the pure nodes that became ready → commit all of it as one record
 *            → start the effects that became ready → wait for one of them, an alarm, or a cancellation → advance
 *
 * At most one commit is under way at a time. So a record never builds on a fact that might not become durable, and effects that end
 * meanwhile share the next record.
 */
export const holdExecution = (beginning: Beginning): Held => {
  const live: Live = {
    ...beginning,
    committing: false,
    over: false,
    cancelled: false,
    pausing: false,
    refused: false,
    arrived: [],
    ready: [],
    reply: null,
    in_flight: [],
    begun: new Map(),
    regions: [],
    noted: null,
    turn: null,
    alarms: new Set(),
    quiet: [],
    given_chars: 0,
    large: new WeakMap(),
  }
  return {
    execution_id: live.facts.execution_id,
    workspace_id: live.facts.workspace_id,
    begin: () => begin(live),
    cancel: () => {
      live.cancelled = true
      advance(live)
    },
    pause: () => {
      live.pausing = true
      advance(live)
    },
    unpause: () => {
      if (!live.pausing) return
      live.pausing = false
      advance(live)
    },
    drop: () => letGo(live),
    isIdle: () => !live.committing && live.in_flight.length === 0 && live.ready.length === 0 && live.arrived.length === 0,
    settled: () => (live.in_flight.length === 0 ? Promise.resolve() : new Promise((resolve) => void live.quiet.push(resolve))),
  }
}

/** From the folded journal alone: a new execution and a recovered one begin alike. */
const begin = (live: Live): void => {
  const { run } = live
  live.ready = [...openOnes(run)]
  const end = deadline(run)
  if (end !== null) addAlarm(live, end, () => advance(live))
  advance(live)
}

const endOf = (live: Live): End | null =>
  live.cancelled ? { status: 'cancelled', output: null, error: null } : outcomeOf(live.run, live.host.app.now())

const advance = (live: Live): void => {
  if (live.committing || live.over) return
  const { arrived } = live
  live.arrived = []
  const steps: Step[] = []
  // What came too late for its turn of a loop, or for the loop, is not part of the story.
  for (const arrival of arrived) if (isWanted(arrival.run)) settleHere(live, arrival, steps)
  if (live.pausing && !live.cancelled && live.accept === null) return settleDown(live, steps)
  const effects = runPure(live, steps, () => advance(live))
  const end = endOf(live)
  // Nothing that goes by variables happens before they are durable.
  if (live.accept === null && live.vars_due === null && steps.length === 0 && live.regions.length === 0 && end === null) {
    start(live, effects)
    // A turn of a loop that takes longer than ours: nothing of it is recorded before its end.
    if (live.ready.length > 0) setImmediate(advance, live)
    return
  }
  const { regions } = live
  live.regions = []
  commit(live, { steps, regions, effects, end, wake_at: end === null && effects.length === 0 ? sleepUntil(live) : null })
}

/** What was in flight is recorded; when the last of it is, it sleeps. What ends it counts, its time limit does not. */
const settleDown = (live: Live, steps: readonly Step[]): void => {
  const { regions, in_flight } = live
  const end = outcomeOf(live.run, live.run.clock)
  const is_quiet = in_flight.length === 0
  if (end === null && !is_quiet && steps.length === 0) return
  live.regions = []
  // Should it have been resumed meanwhile, it is woken at once.
  const wake_at = end === null && is_quiet ? live.host.app.now() : null
  commit(live, { steps, regions, effects: [], end, wake_at, paused: wake_at !== null })
}

/** How long an execution waits in memory. Whoever waits for the end of a workflow does so for at most ten minutes; for that of a job nobody does. */
const longest_wait_ms = { live: 600_000, test: 600_000, job: 5_000 }

/** When it is to be woken, if nothing is to be done until then and that is worth a sleep. */
const sleepUntil = (live: Live): number | null => {
  if (!live.host.sleeps || live.accept !== null || live.in_flight.length > 0 || live.ready.length > 0) return null
  const wake = wakeAt(live.run)
  if (wake === null) return null
  return wake.asleep || wake.at - live.host.app.now() >= longest_wait_ms[live.facts.mode] ? wake.at : null
}

/** What a commit makes durable, and what comes after it. */
interface Turn extends Recorded {
  readonly effects: readonly Ready[]
}

const commit = (live: Live, turn: Turn): void => {
  live.committing = true
  let entry: Entry
  try {
    entry = entryOf(live, turn)
  } catch (cause) {
    // A node has given what is no JSON.
    return notCommitted(live, errors.journal_failed({ cause }))
  }
  live.host.commit(entry).then(
    () => committed(live, turn),
    (error: Error) => notCommitted(live, error),
  )
}

/** Not while it is pausing: who goes on with it finds them in the journal. */
const start = (live: Live, effects: readonly Ready[]): void => {
  if (live.pausing) return void live.ready.unshift(...effects)
  for (const effect of effects) if (isWanted(effect.run)) launch(live, effect, () => advance(live))
}

const committed = (live: Live, { effects, end, wake_at }: Turn): void => {
  const { listener } = live
  live.committing = false
  live.next_seq += 1
  live.vars_due = null
  if (live.accept !== null) {
    live.accept = null
    listener?.accepted()
  }
  if (live.reply !== null) listener?.replied(live.reply)
  if (end !== null) {
    release(live)
    live.host.ended(live.facts, live.version)
    listener?.replied(null)
    listener?.finished({ status: end.status, output: end.status === 'succeeded' ? end.output : null, error: end.error })
    return
  }
  if (live.over) return
  if (wake_at !== null) {
    letGo(live)
    return live.host.asleep(live.facts, { cancelled: live.cancelled, waits: live.version.waits })
  }
  start(live, effects)
  if (live.arrived.length > 0 || live.ready.length > 0 || live.cancelled || live.pausing) advance(live)
}

/**
 * Nothing was written. A new execution does not exist then. One that exists ends as failed when the database refused what it was to
 * keep; otherwise it goes on where somebody recovers it.
 */
const notCommitted = (live: Live, error: Error): void => {
  live.committing = false
  const refused = error instanceof Problem && error.code === errors.journal_failed.code
  if (live.accept !== null || !refused || live.refused) {
    release(live)
    if (live.accept !== null) live.listener?.refused(error)
    return
  }
  live.refused = true
  const message = 'The result of a step could not be stored'
  const end: End = { status: 'failed', output: null, error: { code: 'engine.record_refused', message, details: null, node_id: null } }
  commit(live, { steps: [], regions: [], effects: [], end, wake_at: null })
}

/** Dropped executions are not in the process's hands any more: another hold on the same one may be. */
const release = (live: Live): void => {
  if (live.over) return
  letGo(live)
  live.host.released(live.facts.execution_id)
}
