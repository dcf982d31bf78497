import type { CompiledVersion } from '../compile.ts'
import type { StartExecution } from '../contract.ts'
import type { Standing } from '../journal/record.ts'
import type { Place } from './place.ts'

/** Where an execution is to stand; null where nothing limits it. What is tried out and what the product does for itself is not limited. */
export const placeIn = ({ limits }: CompiledVersion, { mode, payload }: Pick<StartExecution, 'mode' | 'payload'>): Place | null =>
  limits === null || mode !== 'live' ? null : limits.placeOf(payload)

/** Null for what has no priority and stands in no line. The time limit of an execution goes on while it stands there. */
export const standingOf = (
  { graph: { timeout_ms } }: CompiledVersion,
  { priority, place, started_at }: { readonly priority: number; readonly place: Place | null; readonly started_at: number },
): Standing | null => {
  if (place === null) return priority === 0 ? null : { priority, in_line: null }
  const until = timeout_ms === null ? 'infinity' : new Date(started_at + timeout_ms).toISOString()
  return { priority, in_line: { ...place, until } }
}
