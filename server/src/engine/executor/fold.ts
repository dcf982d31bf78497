import type { Interruptible } from '../../lib/turns.ts'
import { type CompiledNode, type CompiledVersion, type Scope, scopeFor, type ScopeFacts, scopeIn } from '../compile.ts'
import { begin, openIn, type Run, runAt, settle, settleTurns } from '../graph/plan.ts'
import { turnsOf } from '../graph/region.ts'
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
  for (const { steps, regions = [] } of records) {
    let next = 0
    for (const [at, step] of steps.entries()) {
      for (let fact = regions[next]; fact !== undefined && fact.before <= at; fact = regions[++next]) apply(version, { run, scope }, fact)
      settle(run, step)
      if (at % 100 === 99) yield
    }
    for (const fact of regions.slice(next)) apply(version, { run, scope }, fact)
    yield
  }
  return { run, scope }
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
