import type { App } from '../../../platform/context.ts'
import { secrets } from '../../../platform/secrets.ts'
import { defineService } from '../../../platform/service.ts'
import * as store from './store.ts'

/** What a secret is now: one value, or two while it is being replaced. */
export interface OpenSecret {
  readonly value: string
  /** `until`: Unix milliseconds. */
  readonly previous: { readonly value: string; readonly until: number } | null
}

/** The secrets that this process has opened, so that a call is not held up by the database. */
export interface OpenSecrets {
  /** Null when the workspace has no such secret. */
  readonly get: (app: App, workspace_id: string, id: string) => Promise<OpenSecret | null>
  readonly forget: (id: string) => void
  readonly forgetAll: () => void
}

export const sealingContext = (id: string): string => `workflow_secrets/${id}`

const most_kept = 10_000

const open = async (app: App, workspace_id: string, id: string): Promise<OpenSecret | null> => {
  const ctx = app.asSystem('a webhook checks who calls it', workspace_id)
  const row = await store.secretById(ctx.db, id)
  if (row === undefined || row.workspace_id !== workspace_id) return null
  const box = app.use(secrets)
  const { sealed, previous, previous_until } = row
  return {
    value: await box.open(sealingContext(id), sealed),
    previous:
      previous === null || previous_until === null
        ? null
        : { value: await box.open(sealingContext(id), previous), until: Date.parse(previous_until) },
  }
}

export const openSecrets = defineService<OpenSecrets>({
  name: 'workflows.open_secrets',
  create: () => {
    const kept = new Map<string, Promise<OpenSecret | null>>()
    return {
      get: (app, workspace_id, id) => {
        const known = kept.get(`${workspace_id}/${id}`)
        if (known !== undefined) return known
        if (kept.size >= most_kept) kept.clear()
        const opening = open(app, workspace_id, id)
        const key = `${workspace_id}/${id}`
        kept.set(key, opening)
        opening.catch(() => kept.get(key) === opening && kept.delete(key))
        return opening
      },
      forget: (id) => {
        for (const key of kept.keys()) if (key.endsWith(id)) kept.delete(key)
      },
      forgetAll: () => kept.clear(),
    }
  },
})
