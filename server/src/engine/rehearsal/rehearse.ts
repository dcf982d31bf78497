import { setImmediate } from 'node:timers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { App } from '../../platform/context.ts'
import { type CompiledVersion, scopeFor, type ScopeFacts } from '../compile.ts'
import type { Finished } from '../contract.ts'
import { holdExecution } from '../executor/execution.ts'
import type { Host } from '../executor/live.ts'
import { gatherer } from '../gather.ts'
import { begin, type Step } from '../graph/plan.ts'
import type { Entry, RecordBody } from '../journal/record.ts'
import type { Json } from '../../lib/json.ts'
import { type VirtualClock, virtualClock } from './clock.ts'

/** Of one run: real time, what its journal would hold, and how many steps it would list. */
const most = { ms: 10_000, chars: 32 * 1024 * 1024, steps: 50_000 }

/** Where a test is called to go on, in its expressions: nowhere. */
export const resume_url = 'https://resume.invalid/'

/** How a step ended for good. */
export interface Ended {
  readonly port: string | null
  readonly ports: readonly string[] | null
  readonly output: Json
}

export interface Rehearsed {
  /** Null where it was broken off. */
  readonly finished: Finished | null
  /** Why it was broken off. */
  readonly broken_off: string | null
  /** By path. Steps of a body that only computes are none. */
  readonly steps: ReadonlyMap<string, Ended>
}

interface Rehearsal {
  readonly version: CompiledVersion
  readonly facts: ScopeFacts
  readonly trigger: { readonly node_id: string; readonly payload: Json }
  readonly signal: AbortSignal
}

/**
 * Runs an execution in memory: the plan and the executor are those of every execution, what it would write goes nowhere, and time passes only
 * where all that is left is to wait. What its effects do is for the version to say.
 */
export const rehearse = async (app: App, { version, facts, trigger, signal }: Rehearsal): Promise<Rehearsed> => {
  const clock = virtualClock(facts.started_at)
  const notes = openNotes((why) => stop(why))
  const end = Promise.withResolvers<Finished | null>()
  let broken_off: string | null = null
  const stop = (why: string): void => {
    if (broken_off !== null) return
    broken_off = why
    held.cancel()
  }
  const run = begin(version.graph, { ...trigger, at: facts.started_at })
  const held = holdExecution({
    host: hostOf(app, clock, notes.note, () => end.reject(new Error('an execution in memory was let go of before its end'))),
    facts,
    version,
    run,
    scope: scopeFor({ version, run, facts }),
    next_seq: 0,
    vars_due: null,
    accept: { row: rowOf(facts, version, trigger.node_id), payload: trigger.payload },
    listener: { accepted: nothing, replied: nothing, refused: end.reject, finished: end.resolve },
  })
  const timer = setTimeout(() => stop(`It took longer than ${most.ms / 1_000} seconds`), most.ms)
  const aborted = (): void => stop('It was called off')
  signal.addEventListener('abort', aborted, { once: true })
  try {
    held.begin()
    if (signal.aborted) aborted()
    const finished = await Promise.race([end.promise, passTime(held, clock, end.promise, stop)])
    return { finished: broken_off === null ? finished : null, broken_off, steps: notes.steps }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', aborted)
  }
}

const nothing = (): void => undefined

/** Lets time go on whenever nothing is left to do but wait. */
const passTime = async (
  held: ReturnType<typeof holdExecution>,
  clock: VirtualClock,
  end: Promise<Finished | null>,
  stop: (why: string) => void,
): Promise<Finished | null> => {
  let over = false
  let stuck = false
  void end.finally(() => (over = true)).catch(nothing)
  while (!over) {
    await held.settled()
    await nextTurn()
    if (over || !held.isIdle() || clock.next()) continue
    if (stuck) throw new Error('an execution in memory neither goes on nor ends')
    stuck = true
    stop('It waits for something that never happens')
  }
  return end
}

const rowOf = (facts: ScopeFacts, version: CompiledVersion, trigger_node_id: string) => ({
  workflow_id: facts.workflow_id,
  version: facts.version,
  mode: facts.mode,
  trigger_type: version.triggerType(trigger_node_id) ?? '',
  trigger_node_id,
  status: 'running',
  held: true,
  once: null,
  started_at: new Date(facts.started_at).toISOString(),
})

/** The app, at another time. Written out, because a context, which is one too, is not to be derived from. */
const withClock = (app: App, now: () => number): App => ({
  log: app.log,
  metrics: app.metrics,
  instance_id: app.instance_id,
  modules: app.modules,
  permissions: app.permissions,
  database: app.database,
  now,
  newId: () => app.newId(),
  settings: (settings) => app.settings(settings),
  use: (service) => app.use(service),
  context: (input) => app.context(input),
  asSystem: (reason, workspace_id) => app.asSystem(reason, workspace_id),
})

const hostOf = (app: App, clock: VirtualClock, note: (entry: Entry) => void, onLost: () => void): Host => ({
  app: withClock(app, clock.now),
  random: () => 0,
  step_timeout_ms: most.ms,
  alarm: clock.alarm,
  sleeps: false,
  // Never within the same turn: what only computes would let nobody else have theirs.
  commit: async (entry) => {
    note(entry)
    await nextTurn()
  },
  resumeUrl: () => resume_url,
  launching: () => true,
  // One that ends says so first.
  released: () => void setImmediate(onLost),
  ended: nothing,
  asleep: nothing,
})

const pathOf = (step: Step): string => step.path ?? step.node_id

/** What is kept of the records: how each step ended. */
const openNotes = (stop: (why: string) => void) => {
  const steps = new Map<string, Ended>()
  const gathered = gatherer()
  let chars = 0
  let count = 0
  const note = ({ body }: Entry): void => {
    const record = JSON.parse(body) as RecordBody
    gathered.add(record)
    for (const step of record.steps) {
      if (step.retry_at === null) steps.set(pathOf(step), { port: step.port, ports: step.ports ?? null, output: gathered.outputOf(step) })
    }
    chars += body.length
    count += record.steps.length
    if (chars > most.chars) stop(`Its steps give more than ${most.chars / 1024 / 1024} MiB in all`)
    if (count > most.steps) stop(`It has more than ${most.steps} steps`)
  }
  return { steps, note }
}
