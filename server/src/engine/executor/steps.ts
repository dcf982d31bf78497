import { decideFailure } from '../graph/failure.ts'
import { hopsOf } from '../hops.ts'
import { inTurns, type Interruptible } from '../../lib/turns.ts'
import { inputsOf, isOver, isWanted, passOn, prefixOf, type Ready, regionOf, type Run, settleIn, type Step } from '../graph/plan.ts'
import type { NodeInput, NodeResult } from '../node.ts'
import type { Credential } from '../../platform/outbound/credential.ts'
import { credentialFor } from './credential.ts'
import { type Attempt, attemptEffect, failureOf, timedOut } from './effect.ts'
import { addAlarm, type Arrival, type Flight, type Live, nodeOf, scopeAt } from './live.ts'
import { goOn, isSilent, noteTurn } from './region.ts'
import { turnEnded, withinRoom } from './room.ts'

/** Pure steps that run in one turn of the event loop, how long they may take and what they may give, before a commit lets others have theirs. */
const turn = { steps: 500, ms: 10, chars: 2 * 1024 * 1024 }

/** The step that an attempt amounts to: the plan's pure rules say what a failure leads to. */
const stepOf = (live: Live, next: Ready, started_at: number, attempt: Attempt): Step => {
  const { run, index } = next
  const { graph, compiled } = nodeOf(live, run, index)
  // What the turns of a region gave was measured when they ended.
  const answer = graph.region === null || graph.passes_through ? withinRoom(live, run, attempt) : attempt
  const finished_at = live.host.app.now()
  const path = run.place === null || isSilent(run) ? {} : { path: `${prefixOf(run)}${graph.id}` }
  const base = { node_id: graph.id, ...path, attempt: next.attempt, started_at, finished_at }
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
    attempt: (run.retries.get(index)?.failures ?? 0) + 1,
    failure: answer.failure,
    retry_if: compiled.retryIf === null ? null : compiled.retryIf(scopeAt(live, run), error),
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

const leavingOf = (result: NodeResult): Pick<Step, 'status' | 'port' | 'ports' | 'stop' | 'output' | 'error' | 'dry'> => {
  const { output, port, ports, stop, dry } = result
  if (stop?.status === 'failed') {
    const error = { code: 'flow.stopped', message: stop.message, details: null }
    return { status: 'failed', port: null, output: null, error, stop: true }
  }
  const left = { status: 'succeeded', port: ports?.[0] ?? port ?? 'out', output: output ?? null, error: null } as const
  if (stop !== undefined) return { ...left, stop: true }
  if (dry !== undefined) return { ...left, dry }
  return ports !== undefined && ports.length > 1 ? { ...left, ports } : left
}

const inputOf = (live: Live, run: Run, index: number): NodeInput<never> => {
  const { input, inputs } = inputsOf(run, index)
  return { config: nodeOf(live, run, index).compiled.evaluate(scopeAt(live, run)) as never, input, inputs }
}

/** Null: it has begun, and goes on in turns like an effect. */
const attemptPure = (live: Live, next: Ready, until: number): Attempt | null => {
  const { run, index } = next
  const { graph, compiled } = nodeOf(live, run, index)
  try {
    if (graph.passes_through) return { ok: true, result: passOn(run, index) }
    const { type } = compiled
    if (type.kind !== 'pure') throw new Error(`a ${type.kind} node is not run as a pure one`)
    if (type.turns === undefined) return { ok: true, result: type.run(inputOf(live, run, index)) }
    const work = type.turns(inputOf(live, run, index))
    do {
      const { done, value } = work.next()
      if (done === true) return { ok: true, result: value }
    } while (performance.now() < until)
    live.begun.set(next, work)
    return null
  } catch (error) {
    return { ok: false, failure: failureOf(error) }
  }
}

/** Folds a step into the state, and notes it for the record, in `steps`. */
export const settleHere = (live: Live, { run, index, step }: Arrival, steps: Step[]): void => {
  if (!isSilent(run)) steps.push(step)
  else if (step.stop === true) steps.push({ ...step, path: `${prefixOf(run)}${step.node_id}` })
  live.ready.push(...settleIn(run, index, step))
  const { place } = run
  if (place === null || isRunning(run, place.outer, place.index)) return
  turnEnded(live, run, place.outer)
  noteTurn(live, run, steps.length)
  if (run.failed !== null) abandonUnwanted(live)
}

const isRunning = (run: Run, outer: Run, index: number): boolean => regionOf(outer, index)?.running.includes(run) === true

/** Effects of turns that have failed, or of regions that have ended: what they would bring is not waited for. */
const abandonUnwanted = (live: Live): void => {
  for (const { run, abandon } of [...live.in_flight]) if (!isWanted(run)) abandon.abort()
}

/** Looks after a region; how it ended is a step. */
const runRegion = (live: Live, next: Ready, steps: Step[]): void => {
  const done = goOn(live, next, steps.length)
  if (done === null) return
  if ('ready' in done) return void live.ready.push(...done.ready)
  const region = regionOf(next.run, next.index)
  const step = stepOf(live, next, region?.spec.started_at ?? live.host.app.now(), done.end)
  settleHere(
    live,
    { run: next.run, index: next.index, step: done.end.ok && region?.spec.repeats === 'each' ? { ...step, gathered: true } : step },
    steps,
  )
  abandonUnwanted(live)
}

/**
 * Runs the pure nodes that are ready and whatever they make ready, adding their steps to `steps`. Answers with the effects to
 * start once those steps are durable. Retries that are not due get an alarm that calls `advance`.
 */
export const runPure = (live: Live, steps: Step[], advance: () => void): readonly Ready[] => {
  const { now } = live.host.app
  const effects: Ready[] = []
  const until = performance.now() + turn.ms
  const full = live.given_chars + turn.chars
  const most = steps.length + turn.steps
  while (steps.length < most && !isOver(live.run)) {
    const next = live.ready.shift()
    if (next === undefined) break
    const { run, index } = next
    if (!isWanted(run)) continue
    if (next.not_before !== null && next.not_before > now()) {
      addAlarm(live, next.not_before, () => {
        live.ready.push(next)
        advance()
      })
      continue
    }
    const { graph, compiled } = nodeOf(live, run, index)
    if (!graph.passes_through && compiled.type.kind === 'effect') {
      effects.push(next)
      continue
    }
    if (graph.region !== null && !graph.passes_through) runRegion(live, next, steps)
    else {
      const started_at = now()
      const attempt = attemptPure(live, next, until)
      if (attempt === null) {
        effects.push(next)
        break
      }
      settleHere(live, { run, index, step: stepOf(live, next, started_at, attempt) }, steps)
    }
    if (performance.now() > until || live.given_chars > full) break
  }
  return effects
}

/** Goes on with what has begun, until its end, its time limit, or until nobody wants it any more. */
const finish = async (
  work: Interruptible<NodeResult>,
  { timeout_ms, abandon }: { readonly timeout_ms: number; readonly abandon: AbortSignal },
): Promise<Attempt | null> => {
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

const takeOff = (live: Live, run: Run): Flight => {
  const flight = { run, abandon: new AbortController(), at: live.in_flight.length }
  live.in_flight.push(flight)
  return flight
}

/** The last one takes its place. */
const land = ({ in_flight }: Live, { at }: Flight): void => {
  const last = in_flight.pop()
  if (last === undefined || last.at === at) return
  last.at = at
  in_flight[at] = last
}

/** Begins an attempt of an effect, or goes on with long work; what it comes to is noted in `arrived`, and `advance` called. */
export const launch = (live: Live, next: Ready, advance: () => void): void => {
  const { host, facts } = live
  if (!host.launching()) return
  const { run, index } = next
  const { graph, compiled } = nodeOf(live, run, index)
  const { type } = compiled
  const flight = takeOff(live, run)
  const started_at = host.app.now()
  const arrive = (answer: Attempt | null): void => {
    land(live, flight)
    if (answer !== null && !live.over && isWanted(run)) {
      live.arrived.push({ run, index, step: stepOf(live, next, started_at, answer) })
      advance()
    }
    // Nobody wants what it brings; yet who waits for it to come back must know that it has.
    else if (live.pausing && !live.over) advance()
    if (live.in_flight.length === 0) for (const resolve of live.quiet.splice(0)) resolve()
  }
  const timeout_ms = graph.timeout_ms ?? host.step_timeout_ms
  const work = live.begun.get(next)
  if (work !== undefined) {
    live.begun.delete(next)
    return void finish(work, { timeout_ms, abandon: flight.abandon.signal }).then(arrive)
  }
  if (type.kind !== 'effect') throw new Error(`a ${type.kind} node is not run as an effect`)
  let input: NodeInput<never>
  try {
    input = inputOf(live, run, index)
  } catch (error) {
    return arrive({ ok: false, failure: failureOf(error) })
  }
  const { workspace_id, execution_id } = facts
  const path = `${prefixOf(run)}${graph.id}`
  const hops = facts.call?.hops ?? hopsOf(live.run.fired.payload)
  const credential = (id: string): Promise<Credential> => credentialFor(host.app, workspace_id, id)
  void attemptEffect({
    node: type,
    input,
    io: {
      ...{ app: host.app, workspace_id, execution_id, node_id: graph.id, path, attempt: next.attempt },
      failures: run.retries.get(index)?.failures ?? 0,
      ...{ idempotency_key: `${execution_id}:${path}`, hops, credential, scope: scopeAt(live, run) },
    },
    timeout_ms,
    abandon: flight.abandon.signal,
  }).then(arrive)
}
