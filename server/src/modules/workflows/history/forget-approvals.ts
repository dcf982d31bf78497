import { sql } from 'kysely'
import { Type } from 'typebox'
import { defineJob } from '../../../engine/job.ts'

const batch = 500

/** What was decided goes with the execution that it was decided for. */
export const forgetApprovals = defineJob({
  name: 'workflows.forget_approvals',
  doc: 'Removes approvals whose execution is no more.',
  input: Type.Object({}),
  recurring: { every_ms: 86_400_000, input: {} },
  run: async (ctx, { signal }) => {
    let removed = 0
    for (let gone = batch; gone === batch; removed += gone) {
      signal.throwIfAborted()
      gone = await ctx.tx(async ({ db }) => {
        // Asked before its execution is journalled it is not: the step that asks runs after that.
        const { numAffectedRows = 0n } = await sql`
          delete from workflow_approvals
          where id in (
            select a.id
            from workflow_approvals as a
            where not exists (select from executions as e where e.id = a.execution_id)
            limit ${batch}
          )`.execute(db)
        return Number(numAffectedRows)
      })
    }
    return { removed }
  },
})
