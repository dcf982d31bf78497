import type { App } from '../../platform/context.ts'
import { defineConsumer, type News } from '../../platform/events/consumer.ts'
import { workspacePlans } from './workspace-plans.ts'

const forget = (app: App, events: readonly News[]): void => {
  const known = app.use(workspacePlans)
  for (const { name, workspace_id, data } of events) {
    const of = data as { readonly workspace_id?: string; readonly user_id?: string }
    if (name.startsWith('users.')) {
      if (of.user_id !== undefined) known.forgetUser(of.user_id)
    } else if (of.workspace_id !== undefined || workspace_id !== null) known.forgetWorkspace((of.workspace_id ?? workspace_id) as string)
  }
}

/** Keeps the plans in memory in step with who has which plan and who owns what. */
export const followPlans = defineConsumer({
  name: 'plans.follow',
  delivery: 'every_process',
  events: ['users.plan.changed', 'users.role.changed', 'users.deleted', 'workspaces.*'],
  handle: forget,
  atOnce: forget,
  lost: (app) => app.use(workspacePlans).clear(),
})
