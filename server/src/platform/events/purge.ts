import { sql } from 'kysely'
import type { App } from '../context.ts'

const batch = 5_000

/** Removes the events of a workspace that is no more. What must outlast it stands in the audit. */
export const purgeEvents = async (app: App, workspace_id: string, signal: AbortSignal): Promise<boolean> => {
  const ctx = app.asSystem('the events of a workspace go with it')
  for (let removed = batch; removed === batch;) {
    signal.throwIfAborted()
    removed = await ctx.tx(async (tx) => {
      const { numAffectedRows } = await sql`
        delete from events
        where id in (
          select id
          from events
          where workspace_id = ${workspace_id}
          order by id desc
          limit ${batch}
        )`.execute(tx.db)
      return Number(numAffectedRows ?? 0)
    })
  }
  return true
}
