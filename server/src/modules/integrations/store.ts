import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'
import type { HealthStatus } from './schema.ts'

export interface IntegrationRow {
  readonly id: string
  readonly workspace_id: string
  readonly type: string
  readonly name: string
  readonly config: { readonly [field: string]: unknown }
  readonly credential_fields: string[]
  readonly tokens_expire_at: string | null
  /** Whether tokens of the service are there. */
  readonly has_tokens: boolean
  readonly health: HealthStatus
  readonly health_checked_at: string | null
  readonly health_error: string | null
  readonly last_used_at: string | null
  readonly created_by: string | null
  readonly revision: number
  readonly created_at: string
  readonly updated_at: string
}

/** With what is sealed. */
export interface SealedRow extends IntegrationRow {
  readonly credentials: string
  readonly tokens: string | null
  readonly renewing_until: string | null
}

const shown = [
  'id',
  'workspace_id',
  'type',
  'name',
  'config',
  'credential_fields',
  'tokens_expire_at',
  sql<boolean>`tokens is not null`.as('has_tokens'),
  'health',
  'health_checked_at',
  'health_error',
  'last_used_at',
  'created_by',
  'revision',
  'created_at',
  'updated_at',
] as const
const sealed = [...shown, 'credentials', 'tokens', 'renewing_until'] as const

export interface NewRow {
  readonly id: string
  readonly workspace_id: string
  readonly type: string
  readonly name: string
  readonly config: { readonly [field: string]: unknown }
  readonly credentials: string
  readonly credential_fields: string[]
  readonly created_by: string | null
  readonly created_at: string
}

export const insert = (db: TxDb, row: NewRow): Promise<IntegrationRow> =>
  db
    .insertInto('integrations')
    .values({ ...row, updated_at: row.created_at })
    .returning(shown)
    .$castTo<IntegrationRow>()
    .executeTakeFirstOrThrow()

export const byId = (db: ReadDb, id: string): Promise<IntegrationRow | undefined> =>
  db.selectFrom('integrations').select(shown).where('id', '=', id).$castTo<IntegrationRow>().executeTakeFirst()

/** Those of these that the caller's workspace has. */
export const typesByIds = (db: ReadDb, ids: readonly string[]): Promise<readonly Pick<IntegrationRow, 'id' | 'type' | 'name'>[]> =>
  db
    .selectFrom('integrations')
    .select(['id', 'type', 'name'])
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()

/** Within a workspace that is named, because the system's scope has none. */
export const sealedById = (db: ReadDb, workspace_id: string, id: string): Promise<SealedRow | undefined> =>
  db
    .selectFrom('integrations')
    .select(sealed)
    .where('id', '=', id)
    .where('workspace_id', '=', workspace_id)
    .$castTo<SealedRow>()
    .executeTakeFirst()

/** Keeps others from changing it until the transaction ends. */
export const lockSealed = (db: TxDb, workspace_id: string, id: string): Promise<SealedRow | undefined> =>
  db
    .selectFrom('integrations')
    .select(sealed)
    .where('id', '=', id)
    .where('workspace_id', '=', workspace_id)
    .forUpdate()
    .$castTo<SealedRow>()
    .executeTakeFirst()

export interface Filter {
  readonly type?: string | undefined
  readonly health?: HealthStatus | undefined
  /** Found anywhere in the name, whatever its case. */
  readonly search?: string | undefined
}

const filtered = (db: ReadDb, { type, health, search }: Filter) =>
  db
    .selectFrom('integrations')
    .$if(type !== undefined, (query) => query.where('type', '=', type as string))
    .$if(health !== undefined, (query) => query.where('health', '=', health as HealthStatus))
    .$if(search !== undefined, (query) => query.where('name', 'ilike', `%${(search ?? '').replaceAll(/[\\%_]/g, '\\$&')}%`))

export const list = (
  db: ReadDb,
  filter: Filter,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly IntegrationRow[]> =>
  filtered(db, filter)
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after as string))
    .select(shown)
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<IntegrationRow>()
    .execute()

export const count = async (db: ReadDb, filter: Filter): Promise<number> => {
  const row = await filtered(db, filter)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

export interface Update {
  readonly name?: string
  readonly config?: { readonly [field: string]: unknown }
  readonly credentials?: string
  readonly credential_fields?: string[]
}

/** The row must be locked. Raises its revision. With `afresh`, what was found out with the former credentials is forgotten. */
export const update = (db: TxDb, id: string, change: Update, afresh: boolean, at: string): Promise<IntegrationRow> =>
  db
    .updateTable('integrations')
    .set((of) => ({
      ...change,
      ...(afresh ? { tokens: null, tokens_expire_at: null, health: 'unknown', health_checked_at: null, health_error: null } : {}),
      revision: of('revision', '+', 1),
      updated_at: at,
    }))
    .where('id', '=', id)
    .returning(shown)
    .$castTo<IntegrationRow>()
    .executeTakeFirstOrThrow()

export const remove = async (db: TxDb, id: string): Promise<void> => {
  await db.deleteFrom('integrations').where('id', '=', id).execute()
}

/** Not a change that anybody made: the revision stays. */
export const putHealth = async (
  db: TxDb,
  id: string,
  health: { readonly status: HealthStatus; readonly error: string | null; readonly at: string },
): Promise<void> => {
  await db
    .updateTable('integrations')
    .set({ health: health.status, health_error: health.error, health_checked_at: health.at })
    .where('id', '=', id)
    .execute()
}

/** Who holds this is asking the service for new tokens; null when it is over. */
export const setRenewing = async (db: TxDb, id: string, until: string | null): Promise<void> => {
  await db.updateTable('integrations').set({ renewing_until: until }).where('id', '=', id).execute()
}

export interface StoredTokens {
  readonly tokens: string
  readonly tokens_expire_at: string | null
}

/** Not a change that anybody made: the revision stays. False for one that was changed since, for which the tokens are not. */
export const putTokens = async (db: TxDb, id: string, revision: number, tokens: StoredTokens): Promise<boolean> => {
  const rows = await db
    .updateTable('integrations')
    .set({ ...tokens, renewing_until: null })
    .where('id', '=', id)
    .where('revision', '=', revision)
    .returning('id')
    .execute()
  return rows.length === 1
}

/** Notes when integrations were used last. Not a change of theirs: the revision stays. */
export const noteUses = async (db: TxDb, uses: readonly { readonly id: string; readonly at: string }[]): Promise<void> => {
  await sql`
    update integrations
    set last_used_at = used.at
    from unnest(${uses.map(({ id }) => id)}::uuid[], ${uses.map(({ at }) => at)}::timestamptz[]) as used (id, at)
    where integrations.id = used.id
      and (integrations.last_used_at is null or integrations.last_used_at < used.at)`.execute(db)
}

export const madeBy = (db: ReadDb, user_id: string) =>
  db
    .selectFrom('integrations')
    .select(['id', 'workspace_id', 'type', 'name', 'created_at', 'updated_at'])
    .where('created_by', '=', user_id)
    .orderBy('id')
    .execute()
