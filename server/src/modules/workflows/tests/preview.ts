import { nodeTypes } from '../../../engine/engine.ts'
import { lastEnded, readRecorded } from '../../../engine/rehearsal/recorded.ts'
import { onStage, resultOf } from '../../../engine/rehearsal/run-tests.ts'
import { testOf } from '../../../engine/rehearsal/test-of.ts'
import type { Ctx } from '../../../platform/context.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { errors } from '../errors.ts'
import { problemsOf, refuse } from '../publish.ts'
import * as store from '../store.ts'
import type { Preview } from './schema.ts'

/**
 * What the draft would have made of the last executions: each is replayed in memory, with its trigger and what its effects were answered, and
 * what comes out is held against what did. An effect that was not asked then cannot be answered: it is named, and the replay ends there.
 * Errors: 404 `workflows.not_found`, 412, 422 `workflows.not_publishable` where the draft has mistakes, 503 `engine.tests_busy`.
 */
export const preview = async (ctx: Ctx, id: string, last: number, revision: number | null): Promise<Preview> => {
  const row = await store.workflowById(ctx.db, id)
  if (row === undefined) throw errors.not_found()
  requireRevision(row, revision)
  const { definition, workspace_id } = row
  refuse(await problemsOf(ctx, id, definition))
  const ids = await lastEnded(ctx.db, id, last)
  const executions: Preview['executions'] = []
  if (ids.length === 0) return { changed: 0, unchanged: 0, executions }
  await onStage(ctx, { definition, workspace_id, workflow_id: id, signal: ctx.signal }, async (stage) => {
    for (const execution_id of ids) {
      const recorded = await readRecorded(ctx, execution_id)
      // Its time may be over by now.
      if (recorded === null) continue
      if (recorded === 'too_large') {
        executions.push({ execution_id, changed: null, error: 'Its journal is too large', ...none })
        continue
      }
      const test = testOf(recorded, ctx.use(nodeTypes), { name: execution_id })
      const staged = await stage(test)
      const { ok, error, differences, unused_replies } = await resultOf(test, staged)
      const cannot_tell = error !== null && staged.missing.length === 0 && staged.rehearsed !== null
      executions.push({
        ...{ execution_id, version: recorded.version, started_at: recorded.started_at },
        changed: cannot_tell ? null : !ok || unused_replies.length > 0,
        ...{ error, differences, unused_replies },
        new_effects: [...staged.missing],
      })
    }
  })
  const changed = executions.filter((execution) => execution.changed === true).length
  return { changed, unchanged: executions.filter((execution) => execution.changed === false).length, executions }
}

const none = { differences: [], unused_replies: [], new_effects: [] }
