import type { App } from '../../platform/context.ts'
import { defineConsumer, type News } from '../../platform/events/consumer.ts'
import { hookTable } from './hooks/table.ts'
import { openSecrets } from './secrets/open.ts'
import { knownVariables } from './variables/known.ts'

const of_workflows = ['workflows.published', 'workflows.paused', 'workflows.resumed', 'workflows.archived', 'workflows.deleted']
/** What changes at which addresses a workspace is reached, or whether it is. */
const of_workspaces = ['workspaces.updated', 'workspaces.deleted', 'workspaces.restored', 'workspaces.purged']

const followWorkspaces = async (app: App, events: readonly News[]): Promise<void> => {
  const concerned = events.filter(({ name }) => of_workspaces.includes(name))
  const ids = concerned.map(({ data }) => (data as { workspace_id: string }).workspace_id)
  for (const id of new Set(ids)) await app.use(hookTable).refreshWorkspace(app, id)
}

/** Keeps the webhooks in memory in step with what other processes publish, pause and remove, and with the workspaces that they belong to. */
export const followWebhooks = defineConsumer({
  name: 'workflows.follow_webhooks',
  delivery: 'every_process',
  events: [...of_workflows, ...of_workspaces],
  handle: async (app, events) => {
    const changed = events.filter(({ name }) => of_workflows.includes(name))
    const ids = changed.map(({ data }) => (data as { workflow_id: string }).workflow_id)
    if (ids.length > 0) await app.use(hookTable).refresh(app, [...new Set(ids)])
    await followWorkspaces(app, events)
  },
  // Whoever deletes a workspace and calls one of its webhooks must find it gone.
  atOnce: followWorkspaces,
  lost: (app) => app.use(hookTable).refresh(app, null),
})

/** A secret that was replaced or removed elsewhere counts here no longer. */
export const followSecrets = defineConsumer({
  name: 'workflows.follow_secrets',
  delivery: 'every_process',
  events: ['workflows.secret.updated', 'workflows.secret.deleted'],
  handle: async (app, events) => {
    for (const { data } of events) app.use(openSecrets).forget((data as { secret_id: string }).secret_id)
  },
  lost: async (app) => app.use(openSecrets).forgetAll(),
})

const forgetVariables = (app: App, events: readonly News[]): void => {
  for (const { workspace_id } of events) if (workspace_id !== null) app.use(knownVariables).forget(workspace_id)
}

/** Who changes a variable and starts a workflow finds what it is now. */
export const followVariables = defineConsumer({
  name: 'workflows.follow_variables',
  delivery: 'every_process',
  events: ['workflows.variable.set', 'workflows.variable.deleted', 'workspaces.purged'],
  handle: forgetVariables,
  atOnce: forgetVariables,
  lost: (app) => app.use(knownVariables).forgetAll(),
})
