import { isUuid } from '../../../lib/id.ts'
import type { RecordedEvent } from '../../../platform/events/event.ts'
import { defineService } from '../../../platform/service.ts'
import { StartError } from '../../../platform/start-error.ts'
import { settings } from '../settings.ts'

export interface InstallationWorkspace {
  /** The workspaces whose workflows hear of an event: its own, and the operator's where it concerns the installation. */
  readonly hearing: (event: Pick<RecordedEvent, 'name' | 'workspace_id'>) => readonly string[]
}

/** The workspace that hears of what happens in the installation; nobody's does unless the operator says so. */
export const installationWorkspace = defineService<InstallationWorkspace>({
  name: 'workflows.installation_workspace',
  create: (app) => {
    const home = app.settings(settings).installation_workspace?.toLowerCase() ?? null
    if (home !== null && !isUuid(home))
      throw new StartError(
        'MILLRACE_INSTALLATION_WORKSPACE is not the id of a workspace.',
        '`GET /api/v1/workspaces` shows the ids of yours.',
      )
    const concerns = new Set(
      app.modules.flatMap(({ events = [] }) => events.filter((event) => event.of_installation === true).map(({ name }) => name)),
    )
    return {
      hearing: ({ name, workspace_id }) => {
        const own = workspace_id === null ? [] : [workspace_id]
        return home !== null && home !== workspace_id && (workspace_id === null || concerns.has(name)) ? [...own, home] : own
      },
    }
  },
})
