import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface SecretRow {
  readonly id: string
  readonly workspace_id: string
  readonly name: string
  readonly previous_until: string | null
  readonly created_by: string | null
  readonly revision: number
  readonly created_at: string
  readonly updated_at: string
}

export interface SealedRow extends SecretRow {
  readonly sealed: string
  readonly previous: string | null
}

const shown = ['id', 'workspace_id', 'name', 'previous_until', 'created_by', 'revision', 'created_at', 'updated_at'] as const

/** Undefined when the workspace has a secret of that name. */
export const insertSecret = (
  db: TxDb,
  row: Omit<SecretRow, 'previous_until' | 'revision' | 'updated_at'> & { readonly sealed: string },
): Promise<SecretRow | undefined> =>
  db
    .insertInto('workflow_secrets')
    .values({ ...row, updated_at: row.created_at })
    .onConflict((conflict) => conflict.columns(['workspace_id', 'name']).doNothing())
    .returning(shown)
    .executeTakeFirst()

export const countSecrets = async (db: ReadDb): Promise<number> => {
  const { total } = await db
    .selectFrom('workflow_secrets')
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return total
}

export const listSecrets = (
  db: ReadDb,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly SecretRow[]> =>
  db
    .selectFrom('workflow_secrets')
    .select(shown)
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after as string))
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .execute()

export const secretById = (db: ReadDb, id: string): Promise<SealedRow | undefined> =>
  db
    .selectFrom('workflow_secrets')
    .select([...shown, 'sealed', 'previous'])
    .where('id', '=', id)
    .executeTakeFirst()

export const lockSecret = (db: TxDb, id: string): Promise<SealedRow | undefined> =>
  db
    .selectFrom('workflow_secrets')
    .select([...shown, 'sealed', 'previous'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()

export const secretByName = (db: ReadDb, name: string): Promise<{ readonly id: string } | undefined> =>
  db.selectFrom('workflow_secrets').select('id').where('name', '=', name).executeTakeFirst()

/** The row must be locked. Raises its revision. */
export const updateSecret = (
  db: TxDb,
  id: string,
  change: Partial<Pick<SealedRow, 'name' | 'sealed' | 'previous' | 'previous_until'>>,
  at: string,
): Promise<SecretRow> =>
  db
    .updateTable('workflow_secrets')
    .set((of) => ({ ...change, revision: of('revision', '+', 1), updated_at: at }))
    .where('id', '=', id)
    .returning(shown)
    .executeTakeFirstOrThrow()

export const deleteSecret = async (db: TxDb, id: string): Promise<void> => {
  await db.deleteFrom('workflow_secrets').where('id', '=', id).execute()
}

/** Whether a published webhook asks for it. */
export const isUsed = async (db: ReadDb, id: string): Promise<boolean> =>
  (await db.selectFrom('workflow_webhooks').select('path').where('secret_id', '=', id).limit(1).executeTakeFirst()) !== undefined

/** Those of these that the caller's workspace has. */
export const knownSecrets = async (db: ReadDb, ids: readonly string[]): Promise<ReadonlySet<string>> => {
  const rows = await db
    .selectFrom('workflow_secrets')
    .select('id')
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()
  return new Set(rows.map(({ id }) => id))
}
