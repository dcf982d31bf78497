import type { JsonObject } from '../../../lib/json.ts'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'
import type { Parameter, TemplateDefinition } from './schema.ts'

export interface SummaryRow {
  readonly id: string
  readonly workspace_id: string
  readonly title: string
  readonly description: string
  readonly category: string
  readonly icon: string
  readonly parameters: Parameter[]
  readonly created_by: string | null
  readonly revision: number
  readonly created_at: string
  readonly updated_at: string
}

export interface TemplateRow extends SummaryRow {
  readonly definition: TemplateDefinition
  readonly tests: readonly JsonObject[]
}

const summary = [
  'id',
  'workspace_id',
  'title',
  'description',
  'category',
  'icon',
  'parameters',
  'created_by',
  'revision',
  'created_at',
  'updated_at',
] as const
const columns = [...summary, 'definition', 'tests'] as const

export const insertTemplate = (db: TxDb, row: Omit<TemplateRow, 'revision' | 'updated_at'>): Promise<TemplateRow> =>
  db
    .insertInto('workflow_templates')
    .values({ ...row, updated_at: row.created_at })
    .returning(columns)
    .$castTo<TemplateRow>()
    .executeTakeFirstOrThrow()

export interface Filter {
  readonly category?: string | undefined
  /** Found anywhere in the title or the description, whatever its case. */
  readonly search?: string | undefined
}

const filtered = (db: ReadDb, { category, search }: Filter) => {
  const pattern = `%${(search ?? '').replaceAll(/[\\%_]/g, '\\$&')}%`
  return db
    .selectFrom('workflow_templates')
    .$if(category !== undefined, (query) => query.where('category', '=', category as string))
    .$if(search !== undefined, (query) => query.where((of) => of.or([of('title', 'ilike', pattern), of('description', 'ilike', pattern)])))
}

export const listTemplates = (
  db: ReadDb,
  filter: Filter,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly SummaryRow[]> =>
  filtered(db, filter)
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after as string))
    .select(summary)
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<SummaryRow>()
    .execute()

export const countTemplates = async (db: ReadDb, filter: Filter): Promise<number> => {
  const { total } = await filtered(db, filter)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return total
}

export const templateById = (db: ReadDb, id: string): Promise<TemplateRow | undefined> =>
  db.selectFrom('workflow_templates').select(columns).where('id', '=', id).$castTo<TemplateRow>().executeTakeFirst()

/** Keeps others from changing it until the transaction ends. */
export const lockTemplate = (db: TxDb, id: string): Promise<TemplateRow | undefined> =>
  db.selectFrom('workflow_templates').select(columns).where('id', '=', id).forUpdate().$castTo<TemplateRow>().executeTakeFirst()

/** In the system's scope: all that somebody has saved. */
export const templatesBy = (db: ReadDb, user_id: string) =>
  db
    .selectFrom('workflow_templates')
    .select(['id', 'workspace_id', 'title', 'description', 'category', 'parameters', 'definition', 'tests', 'created_at', 'updated_at'])
    .where('created_by', '=', user_id)
    .orderBy('id')
    .execute()

export type TemplateUpdate = Partial<
  Pick<TemplateRow, 'title' | 'description' | 'category' | 'icon' | 'parameters' | 'definition' | 'tests'>
>

/** The row must be locked. Raises its revision. */
export const updateTemplate = (db: TxDb, id: string, change: TemplateUpdate, at: string): Promise<TemplateRow> =>
  db
    .updateTable('workflow_templates')
    .set((of) => ({ ...change, revision: of('revision', '+', 1), updated_at: at }))
    .where('id', '=', id)
    .returning(columns)
    .$castTo<TemplateRow>()
    .executeTakeFirstOrThrow()

export const deleteTemplate = async (db: TxDb, id: string): Promise<void> => {
  await db.deleteFrom('workflow_templates').where('id', '=', id).execute()
}
