import type { App } from '../../platform/context.ts'
import { defineService } from '../../platform/service.ts'
import * as users from '../users/users.ts'
import { bestOf, type PlanName } from './catalogue.ts'

/** The plans of the workspaces that this process has met: the best among their owners. */
export interface WorkspacePlans {
  /** At once when it is in memory. */
  readonly get: (workspace_id: string) => PlanName | Promise<PlanName>
  readonly forgetWorkspace: (workspace_id: string) => void
  /** Forgets every workspace that the user owns. */
  readonly forgetUser: (user_id: string) => void
  readonly clear: () => void
}

interface Known {
  readonly plan: PlanName
  readonly owners: readonly string[]
  readonly read_at: number
}

interface Options {
  readonly load: (workspace_id: string) => Promise<Omit<Known, 'read_at'>>
  readonly now: () => number
  readonly max: number
}

/** An entry is read again after this long, in case word of a change never came. */
const max_age_ms = 300_000

/**
 * A read that was under way when its workspace was forgotten serves those who waited, whose requests came before the change, and is
 * not kept. Beyond `max` the one that was read first goes.
 */
export const createWorkspacePlans = ({ load, now, max }: Options): WorkspacePlans => {
  const known = new Map<string, Known>()
  const owned = new Map<string, Set<string>>()
  const loading = new Map<string, Promise<PlanName>>()

  const drop = (workspace_id: string): void => {
    for (const user_id of known.get(workspace_id)?.owners ?? []) {
      const workspaces = owned.get(user_id)
      workspaces?.delete(workspace_id)
      if (workspaces?.size === 0) owned.delete(user_id)
    }
    known.delete(workspace_id)
  }
  const keep = (workspace_id: string, entry: Known): void => {
    drop(workspace_id)
    known.set(workspace_id, entry)
    for (const user_id of entry.owners) {
      const workspaces = owned.get(user_id)
      if (workspaces === undefined) owned.set(user_id, new Set([workspace_id]))
      else workspaces.add(workspace_id)
    }
    if (known.size > max) drop(known.keys().next().value as string)
  }
  const read = (workspace_id: string): Promise<PlanName> => {
    const read_at = now()
    const run = async (): Promise<PlanName> => {
      try {
        const found = await load(workspace_id)
        if (loading.get(workspace_id) === result) keep(workspace_id, { ...found, read_at })
        return found.plan
      } finally {
        if (loading.get(workspace_id) === result) loading.delete(workspace_id)
      }
    }
    const result = run()
    loading.set(workspace_id, result)
    return result
  }

  return {
    get: (workspace_id) => {
      const entry = known.get(workspace_id)
      if (entry !== undefined && now() - entry.read_at <= max_age_ms) return entry.plan
      return loading.get(workspace_id) ?? read(workspace_id)
    },
    forgetWorkspace: (workspace_id) => {
      loading.delete(workspace_id)
      drop(workspace_id)
    },
    forgetUser: (user_id) => {
      // Whose plan a read under way will find is not known before it ends.
      loading.clear()
      for (const workspace_id of [...(owned.get(user_id) ?? [])]) drop(workspace_id)
    },
    clear: () => {
      loading.clear()
      known.clear()
      owned.clear()
    },
  }
}

export const workspacePlans = defineService<WorkspacePlans>({
  name: 'plans.workspaces',
  create: (app) => createWorkspacePlans({ now: app.now, max: 50_000, load: (workspace_id) => readPlan(app, workspace_id) }),
})

const readPlan = async (app: App, workspace_id: string): Promise<Omit<Known, 'read_at'>> => {
  const ctx = app.asSystem('the plan of a workspace is the best among its owners', workspace_id)
  const ownersOf = app.modules.find((module) => module.owners)?.owners
  if (ownersOf === undefined) throw new Error('No module says who owns a workspace.')
  const owners = await ownersOf(ctx, workspace_id)
  const names = await users.plansOf(ctx, owners)
  return { owners, plan: bestOf([...names.values()]) }
}
