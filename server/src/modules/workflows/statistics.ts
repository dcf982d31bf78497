import type { Ctx } from '../../platform/context.ts'
import type { Statistic } from '../../platform/module.ts'
import * as workspaces from '../workspaces/workspaces.ts'
import { countExecutions } from './store.ts'

const month_ms = 30 * 86_400_000

const since = (ctx: Ctx): string => new Date(ctx.now() - month_ms).toISOString()

export const executions: Statistic = {
  name: 'executions',
  doc: 'Executions of the last 30 days, in the workspaces that the user owns: `last_30_days`, and of those `succeeded`, `failed` and `unfinished`.',
  ofUser: async (ctx, user_id) => {
    const owned = (await workspaces.membershipsOf(ctx, user_id)).filter(({ role }) => role === 'owner')
    return countExecutions(
      ctx.db,
      owned.map(({ workspace_id }) => workspace_id),
      since(ctx),
    )
  },
  ofInstallation: (ctx) => countExecutions(ctx.db, 'all', since(ctx)),
}
