import { sql } from 'kysely'
import type { App } from '../context.ts'

const batch = 5_000

/** So long an event stays in any case: the audit and other consumers may not have read it yet. */
const kept_ms = 3_600_000

/** Removes the events of a workspace that is no more; false while there are fresh ones. What must outlast it stands in the audit. */
export const purgeEvents = async (app: App, workspace_id: string, signal: AbortSignal): Promise<boolean> => {
  const ctx = app.asSystem('the events of a workspace go with it')
  const before = new Date(app.now() - kept_ms).toISOString()
  for (let removed = batch; removed === batch;) {
    signal.throwIfAborted()
    removed = await ctx.tx(async (tx) => {
      const { numAffectedRows } = await sql`
        delete from events
        where id in (
          select id
          from events
          where workspace_id = ${workspace_id}
            and created_at < ${before}::timestamptz
          order by id desc
          limit ${batch}
        )`.execute(tx.db)
      return Number(numAffectedRows ?? 0)
    })
  }
  const fresh = await ctx.db.selectFrom('events').select('id').where('workspace_id', '=', workspace_id).limit(1).executeTakeFirst()
  return fresh === undefined
}
