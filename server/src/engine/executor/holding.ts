import { createRegister } from '../../lib/churn.ts'
import { mayHold } from '../leases/share.ts'
import type { Held } from './execution.ts'

/** The executions that this process holds, and whose they are. */
export interface Holding {
  readonly size: () => number
  readonly get: (execution_id: string) => Held | undefined
  readonly has: (execution_id: string) => boolean
  readonly values: () => readonly Held[]
  readonly add: (execution: Held) => void
  readonly remove: (execution_id: string) => void
  readonly clear: () => void
  /** There is room for one more of this workspace. */
  readonly hasRoom: (workspace_id: string) => boolean
  /** How many there are of each workspace that has any. */
  readonly byWorkspace: () => readonly { readonly workspace_id: string; readonly held: number }[]
}

export const openHolding = (capacity: number): Holding => {
  const executions = createRegister<Held>()
  const counts = createRegister<{ readonly workspace_id: string; held: number }>()
  return {
    size: executions.size,
    get: executions.get,
    has: executions.has,
    values: executions.values,
    add: (execution) => {
      const { execution_id, workspace_id } = execution
      const again = executions.has(execution_id)
      executions.set(execution_id, execution)
      if (again) return
      const count = counts.get(workspace_id)
      if (count === undefined) counts.set(workspace_id, { workspace_id, held: 1 })
      else count.held += 1
    },
    remove: (execution_id) => {
      const execution = executions.get(execution_id)
      if (execution === undefined) return
      executions.delete(execution_id)
      const count = counts.get(execution.workspace_id)
      if (count === undefined) return
      count.held -= 1
      if (count.held === 0) counts.delete(execution.workspace_id)
    },
    clear: () => {
      executions.clear()
      counts.clear()
    },
    hasRoom: (workspace_id) => mayHold(counts.get(workspace_id)?.held ?? 0, executions.size(), capacity),
    byWorkspace: counts.values,
  }
}
