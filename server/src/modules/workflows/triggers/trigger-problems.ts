import { eventTrigger, type EventTriggerConfig } from '../../../engine/nodes/trigger-event.ts'
import { failureTrigger, type FailureTriggerConfig } from '../../../engine/nodes/trigger-failure.ts'
import type { Definition } from '../../../engine/graph/definition.ts'
import { closest } from '../../../lib/closest.ts'
import type { Ctx } from '../../../platform/context.ts'
import type { Problem } from '../schema.ts'
import { covers, offeredEvents } from './follow.ts'
import { knownWorkflows } from './subscription-store.ts'

const eventProblems = (definition: Definition, offered: readonly string[]): readonly Problem[] =>
  definition.nodes.flatMap((node, index): readonly Problem[] => {
    const { name } = (node.config ?? {}) as Partial<EventTriggerConfig>
    if (node.type !== eventTrigger.type || typeof name !== 'string' || offered.some((each) => covers(name, each))) return []
    const similar = closest(name, offered)
    const message = `There is no event "${name.slice(0, 100)}" that a workflow can start on${similar ? `; did you mean "${similar}"?` : ''}`
    return [{ node_id: node.id, path: `/nodes/${index}/config/name`, severity: 'error', message }]
  })

interface Mention {
  readonly id: string
  readonly path: string
  readonly node_id?: string
}

const mentionsOf = (definition: Definition): readonly Mention[] =>
  definition.nodes.flatMap((node, index) => {
    const { workflow_ids } = (node.config ?? {}) as Partial<FailureTriggerConfig>
    if (node.type !== failureTrigger.type || !Array.isArray(workflow_ids)) return []
    return workflow_ids.map((id: string, at) => ({ id, node_id: node.id, path: `/nodes/${index}/config/workflow_ids/${at}` }))
  })

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Mistakes that show only beside the rest of the installation: events that nothing records, workflows that are not there. */
export const triggerProblems = async (ctx: Ctx, workflow_id: string, definition: Definition): Promise<readonly Problem[]> => {
  const mentions = mentionsOf(definition).filter(({ id }) => uuid.test(id))
  const error_workflow_id = definition.settings?.error_workflow_id
  const handler = error_workflow_id !== undefined && uuid.test(error_workflow_id) ? [error_workflow_id.toLowerCase()] : []
  const known = await knownWorkflows(ctx.db, [...new Set([...mentions.map(({ id }) => id), ...handler])])
  const problems: Problem[] = [...eventProblems(definition, offeredEvents(ctx.modules))]
  for (const { id, ...at } of mentions) {
    if (id === workflow_id) problems.push({ ...at, severity: 'error', message: 'A workflow is never started by its own failure' })
    else if (!known.has(id)) problems.push({ ...at, severity: 'error', message: `There is no workflow ${id} in the workspace` })
  }
  for (const id of handler) {
    const path = '/settings/error_workflow_id'
    if (id === workflow_id) problems.push({ path, severity: 'error', message: 'A workflow is never started by its own failure' })
    else if (!known.has(id)) problems.push({ path, severity: 'error', message: `There is no workflow ${id} in the workspace` })
    else if (known.get(id)?.takes_failures !== true)
      problems.push({ path, severity: 'warning', message: 'That workflow is not active, or has no trigger.failure that would start it' })
  }
  return problems
}
