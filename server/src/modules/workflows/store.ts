import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'
import type { Definition, FormConfig, KeepRequests, Status, WebhookAuth, WebhookDedupe } from './schema.ts'

/** A trigger as it is stored: a webhook's URL depends on where the installation is reached, its path does not. */
export interface StoredTrigger {
  readonly node_id: string
  readonly type: string
  readonly path?: string
}

export interface SummaryRow {
  readonly id: string
  readonly workspace_id: string
  readonly name: string
  readonly description: string
  readonly status: Status
  readonly version: number | null
  readonly triggers: readonly StoredTrigger[]
  readonly tags: string[]
  readonly created_by: string | null
  readonly revision: number
  readonly created_at: string
  readonly updated_at: string
}

export interface WorkflowRow extends SummaryRow {
  readonly definition: Definition
}

const summary = [
  'id',
  'workspace_id',
  'name',
  'description',
  'status',
  'version',
  'triggers',
  'tags',
  'created_by',
  'revision',
  'created_at',
  'updated_at',
] as const
const columns = [...summary, 'definition'] as const

export const insertWorkflow = (db: TxDb, row: Omit<WorkflowRow, 'status' | 'version' | 'revision' | 'updated_at'>): Promise<WorkflowRow> =>
  db
    .insertInto('workflows')
    .values({ ...row, updated_at: row.created_at })
    .returning(columns)
    .$castTo<WorkflowRow>()
    .executeTakeFirstOrThrow()

export const workflowById = (db: ReadDb, id: string): Promise<WorkflowRow | undefined> =>
  db.selectFrom('workflows').select(columns).where('id', '=', id).$castTo<WorkflowRow>().executeTakeFirst()

/** Without its draft, which may be large. */
export const summaryById = (db: ReadDb, id: string): Promise<SummaryRow | undefined> =>
  db.selectFrom('workflows').select(summary).where('id', '=', id).$castTo<SummaryRow>().executeTakeFirst()

/** Keeps others from changing the workflow until the transaction ends. */
export const lockWorkflow = (db: TxDb, id: string): Promise<WorkflowRow | undefined> =>
  db.selectFrom('workflows').select(columns).where('id', '=', id).forUpdate().$castTo<WorkflowRow>().executeTakeFirst()

/** Those of these that the caller's workspace has. */
export const knownWorkflows = async (db: ReadDb, ids: readonly string[]): Promise<ReadonlySet<string>> => {
  if (ids.length === 0) return new Set()
  const rows = await db
    .selectFrom('workflows')
    .select('id')
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()
  return new Set(rows.map(({ id }) => id))
}

export interface WorkflowFilter {
  readonly status?: Status | undefined
  readonly tag?: string | undefined
  /** Found anywhere in the name or the description, whatever its case. */
  readonly search?: string | undefined
}

const filtered = (db: ReadDb, filter: WorkflowFilter) => {
  const pattern = `%${(filter.search ?? '').replaceAll(/[\\%_]/g, '\\$&')}%`
  return db
    .selectFrom('workflows')
    .$if(filter.status !== undefined, (query) => query.where('status', '=', filter.status as Status))
    .$if(filter.tag !== undefined, (query) => query.where(sql<boolean>`tags @> array[${filter.tag}]::text[]`))
    .$if(filter.search !== undefined, (query) =>
      query.where((of) => of.or([of('name', 'ilike', pattern), of('description', 'ilike', pattern)])),
    )
}

export const listWorkflows = (
  db: ReadDb,
  filter: WorkflowFilter,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly SummaryRow[]> =>
  filtered(db, filter)
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after as string))
    .select(summary)
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<SummaryRow>()
    .execute()

export const countWorkflows = async (db: ReadDb, filter: WorkflowFilter): Promise<number> => {
  const row = await filtered(db, filter)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

/** Workflows that start, or will when they are resumed, and whose published version holds a text. */
export const workflowsNaming = (db: ReadDb, text: string): Promise<readonly { readonly id: string; readonly name: string }[]> =>
  db
    .selectFrom('workflows as w')
    .innerJoin('workflow_versions as v', (join) => join.onRef('v.workflow_id', '=', 'w.id').onRef('v.version', '=', 'w.version'))
    .select(['w.id', 'w.name'])
    .where('w.status', 'in', ['active', 'paused'])
    .where(sql<boolean>`position(${text} in v.definition::text) > 0`)
    .orderBy('w.id')
    .limit(50)
    .execute()

export type WorkflowUpdate = Partial<Pick<WorkflowRow, 'name' | 'description' | 'status' | 'version' | 'definition' | 'triggers' | 'tags'>>

/** The row must be locked. Raises its revision. */
export const updateWorkflow = (db: TxDb, id: string, change: WorkflowUpdate, at: string): Promise<WorkflowRow> =>
  db
    .updateTable('workflows')
    .set((of) => ({ ...change, revision: of('revision', '+', 1), updated_at: at }))
    .where('id', '=', id)
    .returning(columns)
    .$castTo<WorkflowRow>()
    .executeTakeFirstOrThrow()

export const deleteWorkflow = async (db: TxDb, id: string): Promise<void> => {
  await db.deleteFrom('workflows').where('id', '=', id).execute()
}

export interface VersionSummaryRow {
  readonly workflow_id: string
  readonly version: number
  readonly note: string | null
  readonly created_by: string | null
  readonly created_at: string
  readonly triggers: readonly StoredTrigger[]
}

export interface VersionRow extends VersionSummaryRow {
  readonly definition: Definition
}

const versionSummary = ['workflow_id', 'version', 'note', 'created_by', 'created_at', 'triggers'] as const

export const insertVersion = async (db: TxDb, row: VersionRow & { readonly workspace_id: string }): Promise<void> => {
  await db.insertInto('workflow_versions').values(row).execute()
}

export const versionByNumber = (db: ReadDb, workflow_id: string, version: number): Promise<VersionRow | undefined> =>
  db
    .selectFrom('workflow_versions')
    .select([...versionSummary, 'definition'])
    .where('workflow_id', '=', workflow_id)
    .where('version', '=', version)
    .$castTo<VersionRow>()
    .executeTakeFirst()

export const listVersions = (
  db: ReadDb,
  workflow_id: string,
  page: { readonly after: number | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly VersionSummaryRow[]> =>
  db
    .selectFrom('workflow_versions')
    .select(versionSummary)
    .where('workflow_id', '=', workflow_id)
    .$if(page.after !== null, (query) => query.where('version', page.descending ? '<' : '>', page.after as number))
    .orderBy('version', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<VersionSummaryRow>()
    .execute()

export const countVersions = async (db: ReadDb, workflow_id: string): Promise<number> => {
  const row = await db
    .selectFrom('workflow_versions')
    .where('workflow_id', '=', workflow_id)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

export interface WebhookRow {
  readonly workspace_id: string
  readonly method: string
  readonly path: string
  readonly workflow_id: string
  readonly version: number
  readonly node_id: string
  readonly respond: 'immediate' | 'last_node' | 'respond_node'
  readonly status: number | null
  readonly auth: WebhookAuth | null
  readonly secret_id: string | null
  readonly dedupe: WebhookDedupe | null
  readonly form: FormConfig | null
  readonly keep_requests: KeepRequests
}

/** Which of these addresses other workflows of the caller's workspace hold. */
export const webhooksOfOthers = async (
  db: ReadDb,
  workflow_id: string,
  paths: readonly string[],
): Promise<readonly Pick<WebhookRow, 'method' | 'path'>[]> =>
  paths.length === 0
    ? []
    : db
        .selectFrom('workflow_webhooks')
        .select(['method', 'path'])
        .where('workflow_id', '!=', workflow_id)
        .where(sql<boolean>`path = any(${paths}::text[])`)
        .execute()

export const deleteWebhooks = async (db: TxDb, workflow_id: string): Promise<void> => {
  await db.deleteFrom('workflow_webhooks').where('workflow_id', '=', workflow_id).execute()
}

/**
 * False when somebody else holds one of the addresses; a publish that is under way at the same moment is waited for. They go
 * in in one order, so that two publishes that share several addresses cannot wait for each other.
 */
export const insertWebhooks = async (db: TxDb, rows: readonly WebhookRow[]): Promise<boolean> => {
  const sorted = rows.toSorted((a, b) => (`${a.method} ${a.path}` < `${b.method} ${b.path}` ? -1 : 1))
  if (sorted.length === 0) return true
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('workflow_webhooks')
    .values(sorted)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === BigInt(sorted.length)
}

/** A workflow and one of its webhook addresses; all null but the workflow's own when it holds none. */
export interface LiveRow {
  readonly id: string
  readonly workspace_id: string
  readonly status: Status
  readonly revision: number
  readonly method: string | null
  readonly path: string | null
  readonly version: number | null
  readonly node_id: string | null
  readonly respond: WebhookRow['respond'] | null
  readonly reply_status: number | null
  readonly auth: WebhookAuth | null
  readonly dedupe: WebhookDedupe | null
  readonly form: FormConfig | null
  readonly keep_requests: KeepRequests | null
}

/**
 * The webhook addresses of the given workflows, or of all that are active or keep what they refuse (null); across workspaces, in the system's scope.
 * One statement, so that a workflow's revision and its addresses belong together.
 */
export const liveRows = (db: ReadDb, ids: readonly string[] | null): Promise<readonly LiveRow[]> =>
  db
    .selectFrom('workflows as w')
    .leftJoin('workflow_webhooks as h', 'h.workflow_id', 'w.id')
    .select([
      'w.id',
      'w.workspace_id',
      'w.status',
      'w.revision',
      'h.method',
      'h.path',
      'h.version',
      'h.node_id',
      'h.respond',
      'h.status as reply_status',
      'h.auth',
      'h.dedupe',
      'h.form',
      'h.keep_requests',
    ])
    .$if(ids !== null, (query) => query.where(sql<boolean>`w.id = any(${ids}::uuid[])`))
    .$if(ids === null, (query) =>
      query
        .where('h.method', 'is not', null)
        .where((of) =>
          of.or([of('w.status', '=', 'active'), of.and([of('w.status', '=', 'paused'), of('h.keep_requests', '<>', 'none')])]),
        ),
    )
    .$castTo<LiveRow>()
    .execute()

/** Those of workflows alone: what the product does for itself runs under no workflow. The id says when an execution began, so one range of ids is read. */
export const countExecutions = (db: ReadDb, workspace_ids: readonly string[] | 'all', since: string) =>
  db
    .selectFrom('executions as e')
    .select([
      sql<number>`count(*)`.as('last_30_days'),
      sql<number>`count(*) filter (where e.status = 'succeeded')`.as('succeeded'),
      sql<number>`count(*) filter (where e.status in ('failed', 'timed_out'))`.as('failed'),
      sql<number>`count(*) filter (where e.finished_at is null)`.as('unfinished'),
    ])
    .where(sql<boolean>`e.id >= millrace.first_id(${since}::timestamptz)`)
    .where('e.mode', '=', 'live')
    .where(sql<boolean>`exists (select from workflows w where w.id = e.workflow_id)`)
    .$if(workspace_ids !== 'all', (query) => query.where(sql<boolean>`e.workspace_id = any(${workspace_ids}::uuid[])`))
    .executeTakeFirstOrThrow()

export const workflowsBy = (db: ReadDb, user_id: string) =>
  db
    .selectFrom('workflows')
    .select(['id', 'workspace_id', 'name', 'description', 'status', 'definition', 'tags', 'created_at', 'updated_at'])
    .where('created_by', '=', user_id)
    .orderBy('id')
    .execute()
