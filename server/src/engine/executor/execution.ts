import type { Json } from '../../lib/json.ts'
import type { App } from '../../platform/context.ts'
import type { CompiledNode, CompiledVersion, Scope } from '../compile.ts'
import type { Finished } from '../contract.ts'
import { eventOf } from '../events.ts'
import { decideFailure } from '../graph/failure.ts'
import type { GraphNode } from '../graph/graph.ts'
import { inputsOf, type Outcome, outcomeOf, passOn, plan, type Ready, type Run, settle, type Step } from '../graph/plan.ts'
import type { Entry, NewExecution, RecordBody } from '../journal/record.ts'
import type { HttpReply, NodeResult } from '../node.ts'
import { setAlarm } from './alarm.ts'
import { type Attempt, attemptEffect, failureOf } from './effect.ts'

/** What an execution needs of the process that holds it. */
export interface Host {
  readonly app: App
  readonly random: () => number
  readonly step_timeout_ms: number
  readonly commit: (entry: Entry) => Promise<void>
  /** False while the process stops: what is in flight may end, no further effect begins. */
  readonly launching: () => boolean
  /** The execution has ended, durably, or could not be journalled: it is not held any more. */
  readonly released: (execution_id: string) => void
}

export interface Facts {
  readonly execution_id: string
  readonly workspace_id: string
  readonly workflow_id: string
  readonly version: number
  readonly mode: 'live' | 'test'
  /** Unix milliseconds. */
  readonly started_at: number
}

/** Told once each, when what they say is durable. */
export interface Listener {
  readonly accepted: () => void
  readonly refused: (error: Error) => void
  readonly replied: (reply: HttpReply | null) => void
  readonly finished: (finished: Finished) => void
}

export interface Held {
  readonly execution_id: string
  /** Does what can be done; called once. */
  readonly begin: () => void
  readonly cancel: () => void
  /** Lets go without a word in the journal: whoever recovers it goes on from what is durable. */
  readonly drop: () => void
  /** Resolves when no effect is in flight. */
  readonly settled: () => Promise<void>
}

/** Pure steps that run in one turn of the event loop before a commit gives the others theirs. */
const pure_steps_per_turn = 500

/**
 * One execution, held in memory by this process.
 *
 *   advance: fold what effects have brought → run the pure nodes that became ready → commit all of it as one record
 *            → start the effects that became ready → wait for one of them, an alarm, or a cancellation → advance
 *
 * At most one commit is under way at a time. So a record never builds on a fact that might not become durable, and effects that end
 * meanwhile share the next record.
 */
export const holdExecution = (input: {
  readonly host: Host
  readonly facts: Facts
  readonly version: CompiledVersion
  readonly run: Run
  readonly scope: Scope
  /** Records written so far. */
  readonly next_seq: number
  /** Present when this is the first record. */
  readonly accept: { readonly row: NewExecution; readonly payload: Json } | null
  readonly listener: Listener | null
}): Held => {
  const { host, facts, version, run, scope, listener } = input
  const { now } = host.app
  let { accept, next_seq } = input
  let committing = false
  let over = false
  let cancelled = false
  let arrived: Step[] = []
  let ready: Ready[] = []
  let reply: HttpReply | null = null
  const inFlight = new Map<number, AbortController>()
  const alarms = new Set<() => void>()
  let quiet: (() => void)[] = []

  const nodeOf = (index: number): { graph: GraphNode; compiled: CompiledNode } => ({
    graph: version.graph.nodes[index] as GraphNode,
    compiled: version.nodes[index] as CompiledNode,
  })

  const alarm = (at: number, ring: () => void): void => {
    const off = setAlarm(now, at, () => {
      alarms.delete(off)
      ring()
    })
    alarms.add(off)
  }

  /** The step that an attempt amounts to: the plan's pure rules say what a failure leads to. */
  const stepOf = (index: number, attempt: number, started_at: number, answer: Attempt): Step => {
    const { graph, compiled } = nodeOf(index)
    const base = { node_id: graph.id, attempt, started_at, finished_at: now() }
    if (answer.ok) {
      const { result } = answer
      return { ...base, status: 'succeeded', port: result.port ?? 'out', output: result.output, error: null, retry_at: null }
    }
    const { code, message, details } = answer.failure
    const error = { code, message, details }
    const decision = decideFailure({
      retry: graph.retry,
      on_error: graph.on_error,
      attempt,
      failure: answer.failure,
      retry_if: compiled.retryIf === null ? null : compiled.retryIf(scope, error),
      now: base.finished_at,
      random: host.random(),
    })
    if (decision.kind === 'retry') return { ...base, status: 'failed', port: null, output: null, error, retry_at: decision.retry_at }
    if (decision.kind === 'leave') return { ...base, status: 'failed', port: decision.port, output: decision.output, error, retry_at: null }
    return { ...base, status: 'failed', port: null, output: null, error, retry_at: null }
  }

  const attemptPure = (index: number): Attempt => {
    const { graph, compiled } = nodeOf(index)
    try {
      if (graph.passes_through) return { ok: true, result: passOn(run, index) }
      if (compiled.type.kind !== 'pure') throw new Error(`a ${compiled.type.kind} node is not run as a pure one`)
      const { input: value, inputs } = inputsOf(run, index)
      const result: NodeResult = compiled.type.run({ config: compiled.evaluate(scope) as never, input: value, inputs })
      reply ??= result.reply ?? null
      return { ok: true, result }
    } catch (error) {
      return { ok: false, failure: failureOf(error) }
    }
  }

  /** Runs the pure nodes that are ready and whatever they make ready; answers with the effects to start after the commit. */
  const runPure = (steps: Step[]): Ready[] => {
    const effects: Ready[] = []
    let budget = pure_steps_per_turn
    while (budget-- > 0) {
      const next = ready.shift()
      if (next === undefined) break
      if (next.not_before !== null && next.not_before > now()) {
        alarm(next.not_before, () => {
          ready.push(next)
          advance()
        })
        continue
      }
      const { graph, compiled } = nodeOf(next.index)
      if (!graph.passes_through && compiled.type.kind === 'effect') {
        effects.push(next)
        continue
      }
      const started_at = now()
      const step = stepOf(next.index, next.attempt, started_at, attemptPure(next.index))
      steps.push(step)
      ready.push(...settle(run, step))
      if (run.failed !== null) break
    }
    return effects
  }

  const launch = (next: Ready): void => {
    if (!host.launching()) return
    const { graph, compiled } = nodeOf(next.index)
    const { type } = compiled
    if (type.kind !== 'effect') throw new Error(`a ${type.kind} node is not run as an effect`)
    const abandon = new AbortController()
    inFlight.set(next.index, abandon)
    const started_at = now()
    const arrive = (answer: Attempt | null): void => {
      inFlight.delete(next.index)
      if (answer !== null && !over) {
        if (answer.ok) reply ??= answer.result.reply ?? null
        arrived.push(stepOf(next.index, next.attempt, started_at, answer))
        advance()
      }
      if (inFlight.size === 0) for (const resolve of quiet.splice(0)) resolve()
    }
    let config: unknown
    try {
      config = compiled.evaluate(scope)
    } catch (error) {
      return arrive({ ok: false, failure: failureOf(error) })
    }
    const { input: value, inputs } = inputsOf(run, next.index)
    const idempotency_key = `${facts.execution_id}:${graph.id}`
    const { workspace_id, execution_id } = facts
    void attemptEffect({
      node: type,
      input: { config, input: value, inputs },
      io: { app: host.app, workspace_id, execution_id, node_id: graph.id, attempt: next.attempt, idempotency_key },
      timeout_ms: graph.timeout_ms ?? host.step_timeout_ms,
      abandon: abandon.signal,
    }).then(arrive)
  }

  const letGo = (): void => {
    over = true
    for (const off of alarms) off()
    alarms.clear()
    for (const abandon of inFlight.values()) abandon.abort()
  }

  const entryOf = (steps: readonly Step[], outcome: Outcome | Cancelled | null): Entry => {
    const at = now()
    const trigger = accept === null ? {} : { trigger: { node_id: run.fired.node_id, payload: accept.payload } }
    const ending = outcome === null ? {} : { ending: { status: outcome.status, error: outcome.error } }
    const body: RecordBody = { at, ...trigger, steps, ...ending }
    return {
      execution_id: facts.execution_id,
      workspace_id: facts.workspace_id,
      seq: next_seq,
      body: JSON.stringify(body),
      accept: accept?.row ?? null,
      finish: outcome === null ? null : finishOf(host.app, facts, outcome, at),
    }
  }

  const advance = (): void => {
    if (committing || over) return
    const steps = arrived
    arrived = []
    for (const step of steps) ready.push(...settle(run, step))
    const effects = run.failed === null ? runPure(steps) : []
    const outcome = cancelled ? cancelledOutcome : ready.length > 0 ? null : outcomeOf(run, now())
    if (accept === null && steps.length === 0 && outcome === null) {
      for (const effect of effects) launch(effect)
      return
    }
    committing = true
    host.commit(entryOf(steps, outcome)).then(
      () => committed(effects, outcome),
      (error: Error) => notCommitted(error),
    )
  }

  const committed = (effects: readonly Ready[], outcome: Outcome | Cancelled | null): void => {
    committing = false
    next_seq += 1
    if (accept !== null) {
      accept = null
      listener?.accepted()
    }
    if (reply !== null) listener?.replied(reply)
    if (outcome !== null) {
      letGo()
      host.released(facts.execution_id)
      listener?.replied(null)
      listener?.finished({ status: outcome.status, output: outcome.status === 'succeeded' ? outcome.output : null, error: outcome.error })
      return
    }
    if (over) return
    for (const effect of effects) launch(effect)
    if (arrived.length > 0 || ready.length > 0 || cancelled) advance()
  }

  /** Nothing was written. A new execution does not exist then; one that exists goes on where somebody recovers it. */
  const notCommitted = (error: Error): void => {
    committing = false
    letGo()
    host.released(facts.execution_id)
    if (accept !== null) listener?.refused(error)
  }

  return {
    execution_id: facts.execution_id,
    begin: () => {
      const first = plan(run, now())
      ready = [...first.start]
      for (const [index, retry] of run.retries) {
        if (retry.retry_at <= now()) continue
        ready.push({ index, node_id: nodeOf(index).graph.id, attempt: retry.attempt + 1, not_before: retry.retry_at })
      }
      if (run.graph.timeout_ms !== null) alarm(run.fired.at + run.graph.timeout_ms, advance)
      advance()
    },
    cancel: () => {
      cancelled = true
      advance()
    },
    drop: letGo,
    settled: () => (inFlight.size === 0 ? Promise.resolve() : new Promise((resolve) => void quiet.push(resolve))),
  }
}

interface Cancelled {
  readonly status: 'cancelled'
  readonly output: null
  readonly error: null
}
const cancelledOutcome: Cancelled = { status: 'cancelled', output: null, error: null }

/** The end of an execution as the journal writes it, its event included. */
export const finishOf = (app: App, facts: Facts, outcome: Outcome | Cancelled, at: number): Entry['finish'] => {
  const { execution_id, workflow_id, version, mode } = facts
  const error = outcome.error === null ? null : { code: outcome.error.code, node_id: outcome.error.node_id }
  const data = { execution_id, workflow_id, version, mode, duration_ms: Math.max(0, at - facts.started_at), error }
  return {
    status: outcome.status,
    finished_at: new Date(at).toISOString(),
    error: outcome.error === null ? null : JSON.stringify(outcome.error),
    event: { id: app.newId(), name: eventOf[outcome.status].name, data: JSON.stringify(data) },
  }
}
