import type { Interruptible } from '../../lib/turns.ts'
import { type CompiledNode, type CompiledVersion, type Scope, scopeFor, type ScopeFacts, scopeIn } from '../compile.ts'
import { begin, openIn, type Run, runAt, settle, settleTurns, type Step } from '../graph/plan.ts'
import { turnsOf } from '../graph/region.ts'
import { endsAll, forgiven, rouse } from '../graph/retry.ts'
import type { RecordBody, RegionFact } from '../journal/record.ts'
import { specOf } from './region.ts'

interface Folded {
  readonly run: Run
  readonly scope: Scope
}

/**
 * The state after a whole journal. What a region goes through is not recorded: it is worked out again from what was known when it was opened.
 * Throws when the journal does not fit the version, or itself.
 */
export const folding = function* (input: {
  readonly version: CompiledVersion
  readonly facts: ScopeFacts
  readonly trigger: NonNullable<RecordBody['trigger']>
  readonly records: readonly RecordBody[]
}): Interruptible<Folded> {
  const { version, facts, trigger, records } = input
  const run = begin(version.graph, { ...trigger, at: facts.started_at })
  const scope = scopeFor({ version, run, facts })
  const retries = records.flatMap(({ at, retried }, number) => (retried === undefined ? [] : [{ number, at }]))
  for (const [number, record] of records.entries()) {
    const { steps, regions = [] } = record
    const retried_at = retries.find((retry) => retry.number > number)?.at ?? null
    let next = 0
    for (const [at, step] of steps.entries()) {
      for (let fact = regions[next]; fact !== undefined && fact.before <= at; fact = regions[++next]) apply(version, { run, scope }, fact)
      settle(run, retried_at === null ? step : asItCounts(run, step, retried_at))
      if (at % 100 === 99) yield
    }
    for (const fact of regions.slice(next)) apply(version, { run, scope }, fact)
    goOn(run, record)
    yield
  }
  return { run, scope }
}

/** A failure that has ended the execution, which was tried again since, is an attempt like another. */
const asItCounts = (root: Run, step: Step, retried_at: number): Step => {
  const run = step.path === undefined ? root : runAt(root, step.path)
  return run !== null && endsAll(run, step) ? forgiven(step, retried_at) : step
}

/** Somebody has let it go on: its time limit counts from there, or has stood still meanwhile. */
const goOn = (run: Run, { at, retried, resumed }: RecordBody): void => {
  if (retried !== undefined) run.clock = at
  if (resumed !== undefined) run.clock += resumed.paused_ms
  if (retried !== undefined || resumed !== undefined) rouse(run, at)
}

const apply = (version: CompiledVersion, { run: root, scope }: Folded, fact: RegionFact): void => {
  const { path, opened, turns } = fact
  if (turns !== undefined) settleTurns(root, path, turns)
  if (opened === undefined) return
  const run = runAt(root, path)
  const index = run?.graph.index.get(path.slice(path.lastIndexOf('.') + 1))
  if (run === null || index === undefined) throw new Error(`The journal opens "${path}", which is no region`)
  const nodes = run.place === null ? version.nodes : version.bodies.get(run.graph)
  const compiled = nodes?.[index] as CompiledNode
  const spec = specOf({ run, index, compiled, scope: scopeOf(scope, run), started_at: opened.at })
  if (turnsOf(spec) !== opened.turns) throw new Error(`"${path}" was opened with ${opened.turns} turns and has ${turnsOf(spec)} now`)
  openIn(run, index, spec)
}

const scopeOf = (scope: Scope, run: Run): Scope => (run.place === null ? scope : scopeIn(scopeOf(scope, run.place.outer), run, run.place))
