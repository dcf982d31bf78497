import { sql } from 'kysely'
import { Type } from 'typebox'
import type { Ctx } from '../../platform/context.ts'
import { historyTrimmed } from '../events.ts'
import { defineJob } from '../job.ts'
import { deleteKeys, deleteOrphans, deleteOver, deleteStatistics } from './delete-batches.ts'
import { dropRetired, keptOf, retireWeek } from './drop-weeks.ts'
import { historyMetrics } from './metrics.ts'
import { firstKept, mostOver, type Rules, readRules, shortOnes } from './rules.ts'
import { sweepBlobs } from './sweep-blobs.ts'
import { gapsBetween, listWeeks, type Week } from './weeks.ts'

const any = sql<boolean>`true`
const first_id = '00000000-0000-0000-0000-000000000000'

interface Trimmed {
  readonly executions: number
  readonly weeks: number
  /** What the dropped tables took. */
  readonly bytes: number
}

/** Takes out the weeks of which nothing, or little, is left to keep; answers with those that stay. */
const retireWeeks = async (
  ctx: Ctx,
  rules: Rules,
  before: string,
): Promise<{ readonly retired: readonly Week[]; readonly crowded: readonly Week[] }> => {
  const [retired, crowded]: [Week[], Week[]] = [[], []]
  for (const week of await listWeeks(ctx)) {
    ctx.signal.throwIfAborted()
    if (week.upper > before) break
    const kept = await keptOf(ctx, rules, week)
    if (kept === null) crowded.push(week)
    else if (await retireWeek(ctx, week, kept)) retired.push(week)
  }
  return { retired, crowded }
}

/**
 * Removes the executions that nobody wants to keep any longer: whole weeks at once where that is possible, which costs next to nothing and
 * gives the disk back; the rest a little at a time. May be cut off anywhere, and done by several processes at once.
 */
export const trimHistory = async (ctx: Ctx): Promise<Trimmed> => {
  const rules = await readRules(ctx)
  const before = firstKept(rules)
  // Also what a process has left behind that died meanwhile.
  let executions = await dropRetired(ctx, rules)
  await deleteStatistics(ctx)
  if (before === null) return { executions, weeks: 0, bytes: 0 }
  const { retired, crowded } = await retireWeeks(ctx, rules, before)
  const from_weeks = await dropRetired(ctx, rules)
  executions += from_weeks
  for (const { which, before: upper } of shortOnes(rules)) executions += await deleteOver(ctx, rules, which, { lower: first_id, upper })
  const over = mostOver(rules)
  if (over !== null) {
    const places = [...gapsBetween(await listWeeks(ctx)), ...crowded].filter(({ lower }) => lower < over)
    for (const { lower, upper } of places) executions += await deleteOver(ctx, rules, any, { lower, upper: upper < over ? upper : over })
  }
  if (from_weeks > 0) await deleteOrphans(ctx, before)
  await deleteKeys(ctx, before)
  const trimmed = { executions, weeks: retired.length, bytes: retired.reduce((sum, { bytes }) => sum + bytes, 0) }
  ctx.use(historyMetrics).trimmed(trimmed)
  if (executions > 0 || trimmed.weeks > 0) await ctx.tx(async (tx) => tx.emit(historyTrimmed, trimmed))
  return trimmed
}

/** Also of what was removed in some other way, or by a process that died before its files were. */
const trim = async (ctx: Ctx): Promise<Trimmed> => {
  const trimmed = await trimHistory(ctx)
  await sweepBlobs(ctx)
  return trimmed
}

export const trimHistoryJob = defineJob({
  name: 'engine.trim_history',
  doc: 'Removes executions whose retention is over.',
  input: Type.Object({}),
  timeout_ms: 4 * 3_600_000,
  recurring: { every_ms: 3_600_000, input: {} },
  run: async (ctx) => ({ ...(await trim(ctx)) }),
})
