import { sql } from 'kysely'
import type { App } from '../platform/context.ts'
import { engine } from './engine.ts'
import { removeFolders } from './retention/sweep-blobs.ts'

const batch = 1_000

/** Removes what was executed in a workspace that is no more. What is still being executed is cancelled first: false until it has ended. */
export const purgeExecutions = async (app: App, workspace_id: string, signal: AbortSignal): Promise<boolean> => {
  const ctx = app.asSystem('what was executed in a workspace goes with it')
  const unfinished = await ctx.db
    .selectFrom('executions')
    .select('id')
    .where('workspace_id', '=', workspace_id)
    .where('finished_at', 'is', null)
    .execute()
  for (const { id } of unfinished) await app.use(engine).cancel(id)
  if (unfinished.length > 0) return false
  for (let more = true; more;) {
    signal.throwIfAborted()
    const removed = await ctx.tx(async (tx) => {
      const { rows } = await sql<{ id: string }>`
        with gone as (
          delete from executions
          where id in (
            select id
            from executions
            where workspace_id = ${workspace_id}
            order by id desc
            limit ${batch}
          )
          returning id
        ), records as (
          delete from execution_records
          where execution_id in (select id from gone)
        )
        select id from gone`.execute(tx.db)
      return rows.map(({ id }) => id)
    })
    await removeFolders(app, removed)
    more = removed.length === batch
  }
  await ctx.tx(async (tx) => {
    await tx.db.deleteFrom('engine_waits').where('workspace_id', '=', workspace_id).execute()
    await tx.db.deleteFrom('engine_starts').where('workspace_id', '=', workspace_id).execute()
    await tx.db.deleteFrom('engine_forks').where('workspace_id', '=', workspace_id).execute()
    await tx.db.deleteFrom('engine_statistics').where('workspace_id', '=', workspace_id).execute()
    await tx.db.deleteFrom('engine_calls').where('workspace_id', '=', workspace_id).execute()
    await tx.db.deleteFrom('engine_rate_starts').where('workspace_id', '=', workspace_id).execute()
    await tx.db.deleteFrom('engine_limits').where('workspace_id', '=', workspace_id).execute()
    await tx.db.deleteFrom('engine_versions').where('workspace_id', '=', workspace_id).execute()
  })
  return true
}
