import { sql } from 'kysely'
import type { JsonObject } from '../../../lib/json.ts'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'

export interface KeptRow {
  readonly id: string
  readonly workflow_id: string
  readonly node_id: string
  readonly version: number
  readonly outcome: 'accepted' | 'refused'
  readonly reason: string | null
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: JsonObject
  /** In base64. */
  readonly body: string
  readonly bytes: number
  readonly received_at: string
  readonly replayed_as: string | null
}

export type NewKeptRow = Omit<KeptRow, 'replayed_as'> & { readonly workspace_id: string }

/** Those of workflows that are gone by now are left out. In the system's scope. */
export const insertKept = async (db: TxDb, rows: readonly NewKeptRow[]): Promise<void> => {
  await sql`
    insert into workflow_requests
      (id, workspace_id, workflow_id, node_id, version, outcome, reason, method, path, query, headers, body, bytes, received_at)
    select r.id, r.workspace_id, r.workflow_id, r.node_id, r.version, r.outcome, r.reason, r.method, r.path, r.query, r.headers,
      decode(r.body, 'base64'), r.bytes, r.received_at
    from json_to_recordset(${JSON.stringify(rows)}::text::json) as r (
      id uuid, workspace_id uuid, workflow_id uuid, node_id text, version integer, outcome text, reason text, method text, path text, query text,
      headers json, body text, bytes integer, received_at timestamptz
    )
    where exists (select from workflows w where w.id = r.workflow_id)
    on conflict do nothing`.execute(db)
}

const summary = ['id', 'workflow_id', 'node_id', 'version', 'outcome', 'reason', 'received_at', 'replayed_as'] as const
export type KeptSummary = Pick<KeptRow, (typeof summary)[number]>

export const listRefused = (
  db: ReadDb,
  workflow_id: string,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly KeptSummary[]> =>
  db
    .selectFrom('workflow_requests')
    .select(summary)
    .where('workflow_id', '=', workflow_id)
    .where('outcome', '=', 'refused')
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after as string))
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<KeptSummary>()
    .execute()

export const countRefused = async (db: ReadDb, workflow_id: string): Promise<number> => {
  const { total } = await db
    .selectFrom('workflow_requests')
    .select((of) => of.fn.countAll<number>().as('total'))
    .where('workflow_id', '=', workflow_id)
    .where('outcome', '=', 'refused')
    .executeTakeFirstOrThrow()
  return total
}

export const keptById = (db: ReadDb, workflow_id: string, id: string): Promise<KeptRow | undefined> =>
  db
    .selectFrom('workflow_requests')
    .select([
      ...summary,
      'method',
      'path',
      'query',
      'headers',
      'bytes',
      sql<string>`translate(encode(body, 'base64'), e'\n', '')`.as('body'),
    ])
    .where('id', '=', id)
    .where('workflow_id', '=', workflow_id)
    .$castTo<KeptRow>()
    .executeTakeFirst()

export const noteReplay = async (db: TxDb, id: string, replayed_as: string, replayed_by: string | null): Promise<void> => {
  await db.updateTable('workflow_requests').set({ replayed_as, replayed_by }).where('id', '=', id).execute()
}

/** What is too old, and of each workflow what is beyond so many or so many bytes, newest first. In the system's scope. */
export const prune = async (
  db: TxDb,
  { before, count, bytes, batch }: { readonly before: string; readonly count: number; readonly bytes: number; readonly batch: number },
): Promise<number> => {
  const { numAffectedRows = 0n } = await sql`
    delete from workflow_requests
    where id in (
      select id
      from (
        select id, received_at,
          row_number() over newest as place,
          sum(octet_length(body) + octet_length(headers::text) + octet_length(query)) over newest as held
        from workflow_requests
        window newest as (partition by workflow_id order by id desc)
      ) as ranked
      where received_at < ${before} or place > ${count} or held > ${bytes}
      limit ${batch}
    )`.execute(db)
  return Number(numAffectedRows)
}
