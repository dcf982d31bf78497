import { isDeepStrictEqual } from 'node:util'
import type { Changes } from '../../platform/events/changes.ts'
import type { WorkflowRow } from './store.ts'

/** What the audit says of a workflow. Of its draft, which may be large and holds what its author wrote, only how much of it there is. */
const told = ({ name, description, status, version, tags, definition, revision }: WorkflowRow) => ({
  name,
  description,
  status,
  version,
  tags,
  definition: { nodes: definition.nodes.length, edges: definition.edges.length },
  revision,
})

/** What a change did to a workflow: the fields that differ; all of them where it was made or removed. */
export const changesOf = (before: WorkflowRow | null, after: WorkflowRow | null): Changes => {
  if (before === null) return after === null ? {} : { after: told(after) }
  if (after === null) return { before: told(before) }
  const [was, is] = [told(before), told(after)]
  const fields = (Object.keys(was) as (keyof typeof was)[]).filter(
    // A draft that is as long as before may well be another one.
    (field) =>
      !isDeepStrictEqual(field === 'definition' ? before.definition : was[field], field === 'definition' ? after.definition : is[field]),
  )
  const only = (side: typeof was): object => Object.fromEntries(fields.map((field) => [field, side[field]]))
  return { before: only(was), after: only(is) }
}
