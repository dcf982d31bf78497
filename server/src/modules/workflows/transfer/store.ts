import { sql } from 'kysely'
import type { ReadDb } from '../../../platform/database/open.ts'
import type { Missing } from './schema.ts'

const tables = { integration: 'integrations', secret: 'workflow_secrets', workflow: 'workflows' } as const

/** Which of these ids there are in the caller's workspace. */
export const knownIds = async (db: ReadDb, kind: Missing['kind'], ids: readonly string[]): Promise<ReadonlySet<string>> => {
  if (ids.length === 0) return new Set()
  const rows = await db
    .selectFrom(tables[kind])
    .select('id')
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()
  return new Set(rows.map(({ id }) => id))
}
