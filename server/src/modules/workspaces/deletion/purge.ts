import { Type } from 'typebox'
import { defineJob } from '../../../engine/job.ts'
import type { Ctx } from '../../../platform/context.ts'
import { purged } from '../events.ts'
import { lockWorkspace } from '../store.ts'
import { settleOwnerless } from './heirs.ts'
import * as store from './store.ts'

const most_at_once = 100

export const tidy = defineJob({
  name: 'workspaces.tidy',
  doc: 'Removes deleted workspaces for good once their grace is over, and sees to workspaces that have lost their owners.',
  input: Type.Object({}),
  recurring: { every_ms: 3_600_000, input: {} },
  timeout_ms: 50 * 60_000,
  run: async (ctx, { signal }) => {
    const settled = await settleOwnerless(ctx)
    const due = await store.duePurges(ctx.db, new Date(ctx.now()).toISOString(), most_at_once)
    let removed = 0
    for (const id of due) {
      signal.throwIfAborted()
      if (await purge(ctx, id, signal)) removed += 1
    }
    return { settled, removed, waiting: due.length - removed }
  },
})

/**
 * Removes a workspace whose grace is over, with all that modules keep of it: what refers to its row goes with the row, and for the rest each
 * module offers `purge`. Can be cut off at any point and called again. False while something is not over yet.
 */
const purge = async (ctx: Ctx, id: string, signal: AbortSignal): Promise<boolean> => {
  if (!(await begin(ctx, id))) return false
  for (const module of ctx.modules) {
    if (module.purge !== undefined && !(await module.purge(ctx, id, signal))) return false
  }
  // Not in the workspace, whose events are gone: this one is the installation's.
  return ctx.asSystem('a deleted workspace is removed for good').tx(async (tx) => {
    const gone = await store.deleteWorkspace(tx.db, id)
    if (gone) tx.emit(purged, { workspace_id: id })
    return gone
  })
}

/** From here on nobody can restore it: that takes an owner. */
const begin = (ctx: Ctx, id: string): Promise<boolean> =>
  ctx.asSystem('a deleted workspace loses its members', id).tx(async (tx) => {
    const workspace = await lockWorkspace(tx.db, id)
    if (workspace === undefined || workspace.purge_at === null || Date.parse(workspace.purge_at) > tx.now()) return false
    await store.removeMembers(tx.db, id)
    return true
  })
