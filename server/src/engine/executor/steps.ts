import { decideFailure } from '../graph/failure.ts'
import { hopsOf } from '../hops.ts'
import { inTurns, type Interruptible } from '../../lib/turns.ts'
import { inputsOf, isOver, passOn, type Ready, settle, type Step } from '../graph/plan.ts'
import type { NodeInput, NodeResult } from '../node.ts'
import type { Credential } from '../../platform/outbound/credential.ts'
import { credentialFor } from './credential.ts'
import { type Attempt, attemptEffect, failureOf, timedOut } from './effect.ts'
import { addAlarm, type Live, nodeOf } from './live.ts'
import { withinRoom } from './room.ts'

/** Pure steps that run in one turn of the event loop, how long they may take and what they may give, before a commit lets others have theirs. */
const turn = { steps: 500, ms: 10, chars: 2 * 1024 * 1024 }

/** The step that an attempt amounts to: the plan's pure rules say what a failure leads to. */
const stepOf = (live: Live, next: Ready, started_at: number, attempt: Attempt): Step => {
  const answer = withinRoom(live, attempt)
  const { graph, compiled } = nodeOf(live, next.index)
  const finished_at = live.host.app.now()
  const base = { node_id: graph.id, attempt: next.attempt, started_at, finished_at }
  if (answer.ok) {
    const { result } = answer
    live.reply ??= result.reply ?? null
    return { ...base, ...leavingOf(result), retry_at: null }
  }
  const { code, message, details } = answer.failure
  const error = { code, message, details }
  const decision = decideFailure({
    retry: graph.retry,
    on_error: graph.on_error,
    attempt: (live.run.retries.get(next.index)?.failures ?? 0) + 1,
    failure: answer.failure,
    retry_if: compiled.retryIf === null ? null : compiled.retryIf(live.scope, error),
    now: finished_at,
    random: live.host.random(),
  })
  return {
    ...base,
    status: 'failed',
    port: decision.kind === 'leave' ? decision.port : null,
    output: decision.kind === 'leave' ? decision.output : null,
    error,
    retry_at: decision.kind === 'retry' ? decision.retry_at : null,
  }
}

const leavingOf = ({ output, port, ports, stop }: NodeResult): Pick<Step, 'status' | 'port' | 'ports' | 'stop' | 'output' | 'error'> => {
  if (stop?.status === 'failed') {
    const error = { code: 'flow.stopped', message: stop.message, details: null }
    return { status: 'failed', port: null, output: null, error }
  }
  const left = { status: 'succeeded', port: ports?.[0] ?? port ?? 'out', output: output ?? null, error: null } as const
  if (stop !== undefined) return { ...left, stop: true }
  return ports !== undefined && ports.length > 1 ? { ...left, ports } : left
}

const inputOf = (live: Live, index: number): NodeInput<never> => {
  const { input, inputs } = inputsOf(live.run, index)
  return { config: nodeOf(live, index).compiled.evaluate(live.scope) as never, input, inputs }
}

/** Null: it has begun, and goes on in turns like an effect. */
const attemptPure = (live: Live, index: number, until: number): Attempt | null => {
  const { graph, compiled } = nodeOf(live, index)
  try {
    if (graph.passes_through) return { ok: true, result: passOn(live.run, index) }
    const { type } = compiled
    if (type.kind !== 'pure') throw new Error(`a ${type.kind} node is not run as a pure one`)
    if (type.turns === undefined) return { ok: true, result: type.run(inputOf(live, index)) }
    const work = type.turns(inputOf(live, index))
    do {
      const { done, value } = work.next()
      if (done === true) return { ok: true, result: value }
    } while (performance.now() < until)
    live.begun.set(index, work)
    return null
  } catch (error) {
    return { ok: false, failure: failureOf(error) }
  }
}

/**
 * Runs the pure nodes that are ready and whatever they make ready, adding their steps to `steps`. Answers with the effects to
 * start once those steps are durable. Retries that are not due get an alarm that calls `advance`.
 */
export const runPure = (live: Live, steps: Step[], advance: () => void): readonly Ready[] => {
  const { run } = live
  const { now } = live.host.app
  const effects: Ready[] = []
  const until = performance.now() + turn.ms
  const full = live.given_chars + turn.chars
  for (let budget = turn.steps; budget > 0 && !isOver(run); budget--) {
    const next = live.ready.shift()
    if (next === undefined) break
    if (next.not_before !== null && next.not_before > now()) {
      addAlarm(live, next.not_before, () => {
        live.ready.push(next)
        advance()
      })
      continue
    }
    const { graph, compiled } = nodeOf(live, next.index)
    if (!graph.passes_through && compiled.type.kind === 'effect') {
      effects.push(next)
      continue
    }
    const started_at = now()
    const attempt = attemptPure(live, next.index, until)
    if (attempt === null) {
      effects.push(next)
      break
    }
    const step = stepOf(live, next, started_at, attempt)
    steps.push(step)
    live.ready.push(...settle(run, step))
    if (performance.now() > until || live.given_chars > full) break
  }
  return effects
}

/** Goes on with what has begun, until its end, its time limit, or until nobody wants it any more. */
const finish = async (live: Live, index: number, timeout_ms: number, abandon: AbortSignal): Promise<Attempt | null> => {
  const work = live.begun.get(index) as Interruptible<NodeResult>
  live.begun.delete(index)
  const end = performance.now() + timeout_ms
  const bounded = function* (): Interruptible<Attempt | null> {
    for (;;) {
      if (abandon.aborted) return null
      if (performance.now() > end) return { ok: false, failure: timedOut(timeout_ms) }
      const { done, value } = work.next()
      if (done === true) return { ok: true, result: value }
      yield
    }
  }
  try {
    return await inTurns(bounded())
  } catch (error) {
    return { ok: false, failure: failureOf(error) }
  }
}

/** Begins an attempt of an effect, or goes on with long work; what it comes to is noted in `arrived`, and `advance` called. */
export const launch = (live: Live, next: Ready, advance: () => void): void => {
  const { host, facts } = live
  if (!host.launching()) return
  const { graph, compiled } = nodeOf(live, next.index)
  const { type } = compiled
  const abandon = new AbortController()
  live.in_flight.set(next.index, abandon)
  const started_at = host.app.now()
  const arrive = (answer: Attempt | null): void => {
    live.in_flight.delete(next.index)
    if (answer !== null && !live.over) {
      live.arrived.push(stepOf(live, next, started_at, answer))
      advance()
    }
    if (live.in_flight.size === 0) for (const resolve of live.quiet.splice(0)) resolve()
  }
  const timeout_ms = graph.timeout_ms ?? host.step_timeout_ms
  if (live.begun.has(next.index)) return void finish(live, next.index, timeout_ms, abandon.signal).then(arrive)
  if (type.kind !== 'effect') throw new Error(`a ${type.kind} node is not run as an effect`)
  let input: NodeInput<never>
  try {
    input = inputOf(live, next.index)
  } catch (error) {
    return arrive({ ok: false, failure: failureOf(error) })
  }
  const { workspace_id, execution_id } = facts
  const idempotency_key = `${execution_id}:${graph.id}`
  const hops = hopsOf(live.run.fired.payload)
  const credential = (id: string): Promise<Credential> => credentialFor(host.app, workspace_id, id)
  void attemptEffect({
    node: type,
    input,
    io: {
      app: host.app,
      workspace_id,
      execution_id,
      node_id: graph.id,
      attempt: next.attempt,
      idempotency_key,
      hops,
      credential,
      scope: live.scope,
    },
    timeout_ms,
    abandon: abandon.signal,
  }).then(arrive)
}
