import type { Ctx } from '../../platform/context.ts'
import { errors } from './errors.ts'
import { openCredentials } from './integrations.ts'
import * as store from './store.ts'
import type { IntegrationType } from './type.ts'
import { typeOf } from './types.ts'
import { uses } from './uses.ts'

/** An integration with what it keeps secret. It stays within this module. */
export interface Opened {
  readonly row: store.SealedRow
  readonly type: IntegrationType
  readonly credentials: { readonly [field: string]: string }
}

/** Errors: 404 `integrations.not_found`, 422 `integrations.unknown_type`. */
export const openOne = async (ctx: Ctx, workspace_id: string, id: string): Promise<Opened> => {
  const row = await store.sealedById(ctx.db, workspace_id, id)
  if (row === undefined) throw errors.not_found()
  const type = typeOf(row.type)
  if (type === undefined) throw errors.unknown_type({ detail: `This server knows no type '${row.type}'.` })
  return { row, type, credentials: await openCredentials(ctx, row) }
}

/** The same for the work of a step, and noted as a use. Errors: 422 `integrations.missing` instead of 404. */
export const openForUse = async (ctx: Ctx, id: string): Promise<Opened> => {
  const opened = ctx.workspace_id === null ? null : await openOne(ctx, ctx.workspace_id, id).catch(asMissing)
  if (opened === null) throw errors.missing({ detail: `There is no integration ${id}.` })
  ctx.use(uses).note(id)
  return opened
}

const asMissing = (error: unknown): null => {
  if (error instanceof Error && 'code' in error && error.code === errors.not_found.code) return null
  throw error
}
