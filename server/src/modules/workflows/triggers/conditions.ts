import { expressionCompiler, type Compiled } from '../../../engine/expression/expression.ts'
import type { Scope } from '../../../engine/expression/scope.ts'
import { Fault } from '../../../engine/expression/value.ts'
import { where_roots } from '../../../engine/nodes/trigger-event.ts'
import type { Json } from '../../../lib/json.ts'
import { defineService } from '../../../platform/service.ts'

/** Says whether an event is one of those that a condition means; one that cannot be evaluated means none. */
export type Matches = (condition: string, payload: Json) => boolean

/** Compiled conditions kept; the one that was compiled first makes room. */
const most_kept = 1_000
/** Work of one evaluation: a tenth of what a step may do, since every event of a workspace is held against each of its conditions. */
const work = 100_000

const openConditions = (): Matches => {
  const compiled = new Map<string, Compiled>()
  const read = (text: string): Compiled => {
    const known = compiled.get(text)
    if (known !== undefined) return known
    const made = expressionCompiler(where_roots).expression(text)
    const [oldest] = compiled.keys()
    if (compiled.size >= most_kept && oldest !== undefined) compiled.delete(oldest)
    compiled.set(text, made)
    return made
  }
  return (condition, payload) => {
    const found = read(condition)
    if (!found.ok) return false
    const scope: Scope = { trigger: payload, execution: {}, workspace: {}, vars: {}, output: () => undefined, outputs: () => ({}) }
    try {
      return found.expression.run(scope, { left: work }) === true
    } catch (error) {
      if (error instanceof Fault) return false
      throw error
    }
  }
}

export const conditions = defineService<Matches>({ name: 'workflows.conditions', create: openConditions })
