import { jsonSize } from '../../../lib/json-size.ts'
import type { JsonObject } from '../../../lib/json.ts'
import type { App } from '../../../platform/context.ts'
import { defineService } from '../../../platform/service.ts'
import * as store from './store.ts'

/** The variables of workspaces as this process knows them, so that a start need not ask for them. */
export interface KnownVariables {
  readonly get: (app: App, workspace_id: string) => JsonObject | Promise<JsonObject>
  readonly forget: (workspace_id: string) => void
  readonly forgetAll: () => void
}

const most_chars = 32 * 1024 * 1024

export const createKnownVariables = (read: (app: App, workspace_id: string) => Promise<JsonObject>): KnownVariables => {
  const known = new Map<string, JsonObject | Promise<JsonObject>>()
  let chars = 0
  const forgetAll = (): void => {
    known.clear()
    chars = 0
  }
  const load = (app: App, workspace_id: string): Promise<JsonObject> => {
    const loading = read(app, workspace_id).then(
      (found) => {
        // What was forgotten meanwhile may be older than the change.
        if (known.get(workspace_id) !== loading) return found
        chars += jsonSize(found, most_chars) ?? most_chars
        if (chars > most_chars) forgetAll()
        else known.set(workspace_id, found)
        return found
      },
      (error: unknown) => {
        if (known.get(workspace_id) === loading) known.delete(workspace_id)
        throw error
      },
    )
    known.set(workspace_id, loading)
    return loading
  }
  return {
    get: (app, workspace_id) => known.get(workspace_id) ?? load(app, workspace_id),
    forget: (workspace_id) => {
      const before = known.get(workspace_id)
      known.delete(workspace_id)
      if (before !== undefined && !(before instanceof Promise)) chars -= jsonSize(before, most_chars) ?? 0
    },
    forgetAll,
  }
}

export const knownVariables = defineService<KnownVariables>({
  name: 'workflows.known_variables',
  create: () =>
    createKnownVariables((app, workspace_id) =>
      store.valuesOf(app.asSystem('an execution begins with the variables of its workspace', workspace_id).db, workspace_id),
    ),
})
