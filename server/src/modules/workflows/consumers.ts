import { defineConsumer } from '../../platform/events/consumer.ts'
import { hookTable } from './hooks/table.ts'

/** Membership changes come with every registration, and change no address. */
const mayRename = (name: string): boolean =>
  name.startsWith('workspaces.') && name !== 'workspaces.created' && !name.startsWith('workspaces.member.')

/** Keeps the webhooks in memory in step with what other processes publish, pause and remove. */
export const followWebhooks = defineConsumer({
  name: 'workflows.follow_webhooks',
  delivery: 'every_process',
  events: ['workflows.published', 'workflows.paused', 'workflows.resumed', 'workflows.archived', 'workflows.deleted', 'workspaces.*'],
  handle: async (app, events) => {
    const table = app.use(hookTable)
    const ids = events.filter(({ name }) => name.startsWith('workflows.')).map(({ data }) => (data as { workflow_id: string }).workflow_id)
    if (ids.length > 0) await table.refresh(app, [...new Set(ids)])
    const renamed = events.filter(({ name }) => mayRename(name)).flatMap(({ workspace_id }) => workspace_id ?? [])
    for (const id of new Set(renamed)) await table.refreshWorkspace(app, id)
  },
  lost: (app) => app.use(hookTable).refresh(app, null),
})
