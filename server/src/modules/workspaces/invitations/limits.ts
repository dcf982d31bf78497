import type { Ctx } from '../../../platform/context.ts'
import { counters } from '../../../platform/counters/counters.ts'
import { httpErrors } from '../../../platform/http/errors.ts'

/** Days for which a link works. */
export const life_days = 7

const window_s = 3_600
/** Mails with invitations that a workspace sends in an hour, whoever of its admins does: they go to people who did not ask for them. */
const most_mails = 100

/** Counts one mail. 429 `http.rate_limited` when the workspace has sent too many. */
export const countMail = async (ctx: Ctx, workspace_id: string): Promise<void> => {
  const { used, reset_ms } = await ctx.use(counters).counter('workspaces.invitations', window_s).add(workspace_id)
  if (used <= most_mails) return
  const retry_after = Math.max(1, Math.ceil(reset_ms / 1_000))
  throw httpErrors.rate_limited({
    detail: `The workspace has sent ${most_mails} invitations within the hour. Try again in ${retry_after} seconds.`,
    headers: { 'retry-after': String(retry_after) },
    extra: { 'violated-policies': ['workspace-invitations'] },
  })
}
