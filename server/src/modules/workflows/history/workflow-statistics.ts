import { countedAt, readStatistics, type WorkflowStatistics } from '../../../engine/statistics/read-statistics.ts'
import type { Ctx } from '../../../platform/context.ts'
import { invalid } from '../../../platform/http/validate.ts'
import { summary } from '../workflows.ts'

const hour_ms = 3_600_000
const day_ms = 24 * hour_ms

/** By default, and at most. */
const ranges = { hour: { usual: day_ms, most: 14 * day_ms }, day: { usual: 30 * day_ms, most: 366 * day_ms } }

/** How a workflow has done between two times, which are widened to full hours or days. Errors: 404 `workflows.not_found`, 422 for a range that is too long or none. */
export const statisticsOf = async (
  ctx: Ctx,
  workflow_id: string,
  query: { readonly from?: string | undefined; readonly to?: string | undefined; readonly bucket: 'hour' | 'day' },
): Promise<WorkflowStatistics> => {
  const { usual, most } = ranges[query.bucket]
  const unit = query.bucket === 'hour' ? hour_ms : day_ms
  const to = Math.ceil((query.to === undefined ? ctx.now() : Date.parse(query.to)) / unit) * unit
  const from = query.from === undefined ? to - usual : Math.floor(Date.parse(query.from) / unit) * unit
  if (from >= to) throw invalid([{ path: 'from', message: 'must be before `to`' }])
  if (to - from > most) throw invalid([{ path: 'from', message: `must be at most ${most / day_ms} days before \`to\`` }])
  await summary(ctx, workflow_id)
  // In a transaction, which has a connection to itself: a year of hours takes longer than others should wait.
  const found = await ctx.tx((tx) => readStatistics(tx.db, { workflow_id, from, to, bucket: query.bucket }))
  return { ...found, counted_at: await countedAt(ctx.asSystem('it is counted for all workspaces at once').db) }
}
