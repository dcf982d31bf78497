import type { Ctx } from '../../platform/context.ts'
import { about, nowOf, workspaceOf } from './integrations.ts'
import * as events from './events.ts'
import { withToken } from './oauth/tokens.ts'
import { type Opened, openOne } from './opened.ts'
import type { TestResult } from './schema.ts'
import * as store from './store.ts'
import type { Verdict } from './type.ts'
import { verdictOfFailure } from './verdict.ts'

/**
 * Makes the cheapest call that shows whether the integration works, and keeps what came of it. A service that refuses is an answer, not an
 * error. Errors: 404 `integrations.not_found`.
 */
export const test = async (ctx: Ctx, id: string): Promise<TestResult> => {
  const opened = await openOne(ctx, workspaceOf(ctx), id)
  const started = performance.now()
  const verdict = await verdictOn(ctx, opened)
  const at = nowOf(ctx)
  await note(ctx, opened.row, verdict, at)
  return { ...verdict, checked_at: at, duration_ms: Math.round(performance.now() - started) }
}

const verdictOn = async (ctx: Ctx, opened: Opened): Promise<Verdict> => {
  try {
    const { row, type, credentials } = await withToken(ctx, opened)
    return await type.test({ app: ctx, signal: ctx.signal }, row.config, credentials)
  } catch (error) {
    return verdictOfFailure(error)
  }
}

/** Keeps a verdict, and tells when an integration fails that did not, or works again. Not one of credentials that are not the stored ones any more. */
export const note = async (
  ctx: Ctx,
  { id, workspace_id, revision }: Pick<store.IntegrationRow, 'id' | 'workspace_id' | 'revision'>,
  { status, error }: Verdict,
  at: string,
): Promise<void> => {
  await ctx.tx(async (tx) => {
    const row = await store.lockSealed(tx.db, workspace_id, id)
    if (row === undefined || row.revision !== revision) return
    await store.putHealth(tx.db, id, { status, error, at })
    if (status === 'failing' && row.health !== 'failing') tx.emit(events.failed, { ...about(row), error: error ?? '' })
    if (status === 'ok' && row.health === 'failing') tx.emit(events.recovered, about(row))
  })
}
