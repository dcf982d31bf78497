import { comparing, type Comparison } from '../../../engine/graph/compare.ts'
import { inTurns } from '../../../lib/turns.ts'
import type { Ctx } from '../../../platform/context.ts'
import { errors } from '../errors.ts'
import type { Definition } from '../schema.ts'
import * as store from '../store.ts'

/** What changes from a version to another one, or to the draft. Errors: 404 `workflows.not_found`, 404 `workflows.version_not_found`. */
export const compareVersions = async (
  ctx: Ctx,
  id: string,
  version: number,
  other: number | 'draft',
): Promise<Comparison & { readonly version: number; readonly compared_with: number | null }> => {
  const workflow = await store.workflowById(ctx.db, id)
  if (workflow === undefined) throw errors.not_found()
  const definitionOf = async (number: number): Promise<Definition> => {
    const row = await store.versionByNumber(ctx.db, id, number)
    if (row === undefined) throw errors.version_not_found({ detail: `There is no version ${number}.` })
    return row.definition
  }
  const [before, after] = await Promise.all([definitionOf(version), other === 'draft' ? workflow.definition : definitionOf(other)])
  return { version, compared_with: other === 'draft' ? null : other, ...(await inTurns(comparing(before, after))) }
}
