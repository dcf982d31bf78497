import { sql } from 'kysely'
import type { Json } from '../../lib/json.ts'
import type { TxDb } from '../../platform/database/open.ts'

/** Settles one wait within a transaction, in the scope of its caller. False when it is not open any more, or its execution has ended. */
export const settleIn = async (
  db: TxDb,
  wait: { readonly execution_id: string; readonly path: string; readonly output: Json; readonly port: string },
  now: number,
): Promise<boolean> => {
  const { execution_id, path, output, port } = wait
  const { rows } = await sql`
    update engine_waits
    set settled_at = ${new Date(now).toISOString()}, output = ${JSON.stringify(output)}::text::json, port = ${port}
    where execution_id = ${execution_id} and path = ${path} and settled_at is null and closed_at is null
      and exists (select from executions where id = ${execution_id} and finished_at is null)
    returning path`.execute(db)
  return rows.length === 1
}
