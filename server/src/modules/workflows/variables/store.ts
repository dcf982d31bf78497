import { sql } from 'kysely'
import type { Json, JsonObject } from '../../../lib/json.ts'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface VariableRow {
  readonly name: string
  readonly value: Json
  readonly description: string
  readonly updated_by: string | null
  readonly revision: number
  readonly created_at: string
  readonly updated_at: string
}

const columns = ['name', 'value', 'description', 'updated_by', 'revision', 'created_at', 'updated_at'] as const

/** A value as SQL: JSON has texts and nulls of its own. */
const asJson = (value: Json) => sql<never>`${JSON.stringify(value)}::text::json`

export const listVariables = (
  db: ReadDb,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly VariableRow[]> =>
  db
    .selectFrom('workflow_variables')
    .select(columns)
    .$if(page.after !== null, (query) => query.where('name', page.descending ? '<' : '>', page.after as string))
    .orderBy('name', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<VariableRow>()
    .execute()

export const variableByName = (db: ReadDb, name: string): Promise<VariableRow | undefined> =>
  db.selectFrom('workflow_variables').select(columns).where('name', '=', name).$castTo<VariableRow>().executeTakeFirst()

export const lockVariable = (db: TxDb, name: string): Promise<VariableRow | undefined> =>
  db.selectFrom('workflow_variables').select(columns).where('name', '=', name).forUpdate().$castTo<VariableRow>().executeTakeFirst()

/** How many there are, and how much their values take besides that of one. */
export const measure = (db: ReadDb, besides: string): Promise<{ readonly count: number; readonly bytes: number }> =>
  db
    .selectFrom('workflow_variables')
    .select([
      sql<number>`count(*)`.as('count'),
      sql<number>`coalesce(sum(octet_length(value::text)) filter (where name <> ${besides}), 0)::int8`.as('bytes'),
    ])
    .executeTakeFirstOrThrow()

/** Undefined when somebody else has made it at the same moment. */
export const insertVariable = (
  db: TxDb,
  { value, ...row }: Omit<VariableRow, 'revision' | 'updated_at'> & { readonly workspace_id: string },
): Promise<VariableRow | undefined> =>
  db
    .insertInto('workflow_variables')
    .values({ ...row, value: asJson(value), updated_at: row.created_at })
    .onConflict((conflict) => conflict.doNothing())
    .returning(columns)
    .$castTo<VariableRow>()
    .executeTakeFirst()

/** The row must be locked. Raises its revision. */
export const updateVariable = (
  db: TxDb,
  { name, value, ...row }: Pick<VariableRow, 'name' | 'value' | 'description' | 'updated_by' | 'updated_at'>,
): Promise<VariableRow> =>
  db
    .updateTable('workflow_variables')
    .set((of) => ({ ...row, value: asJson(value), revision: of('revision', '+', 1) }))
    .where('name', '=', name)
    .returning(columns)
    .$castTo<VariableRow>()
    .executeTakeFirstOrThrow()

export const deleteVariable = async (db: TxDb, name: string): Promise<void> => {
  await db.deleteFrom('workflow_variables').where('name', '=', name).execute()
}

/** All of a workspace; in the system's scope. */
export const valuesOf = async (db: ReadDb, workspace_id: string): Promise<JsonObject> => {
  const rows = await db
    .selectFrom('workflow_variables')
    .select(['name', 'value'])
    .where('workspace_id', '=', workspace_id)
    .$castTo<{ name: string; value: Json }>()
    .execute()
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
}

export const namesAmong = async (db: ReadDb, names: readonly string[]): Promise<ReadonlySet<string>> => {
  const rows = await db
    .selectFrom('workflow_variables')
    .select('name')
    .where(sql<boolean>`name = any(${names}::text[])`)
    .execute()
  return new Set(rows.map(({ name }) => name))
}

export const variablesBy = (db: ReadDb, user_id: string) =>
  db
    .selectFrom('workflow_variables')
    .select(['workspace_id', 'name', 'value', 'description', 'updated_at'])
    .where('updated_by', '=', user_id)
    .orderBy('workspace_id')
    .orderBy('name')
    .execute()
