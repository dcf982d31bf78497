import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'
import { installation_chain } from './chain.ts'
import type { NewEntry } from './entry.ts'
import type { Entry, Filter } from './schema.ts'

export type EntryRow = Omit<Entry, 'actor_name' | 'impersonator_name'>

const columns = [
  'id',
  'workspace_id',
  'seq',
  'at',
  'action',
  'actor_type',
  'actor_id',
  'impersonator_id',
  'target_type',
  'target_id',
  'request_id',
  'address',
  'user_agent',
  'data',
  'before',
  'after',
  'erased_at',
  'previous_hash',
  'hash',
] as const

/** Appends, in this order, what is not there yet. The database gives each its place in its chain. */
export const insertEntries = async (db: TxDb, entries: readonly NewEntry[]): Promise<void> => {
  const all = <Field extends keyof NewEntry>(field: Field): readonly NewEntry[Field][] => entries.map((entry) => entry[field])
  await sql`
    insert into audit_entries (id, workspace_id, at, action, actor_type, actor_id, impersonator_id, target_type, target_id, request_id,
      address, user_agent, data, before, after)
    select e.id, e.workspace_id, e.at, e.action, e.actor_type, e.actor_id, e.impersonator_id, e.target_type, e.target_id, e.request_id,
      e.address, e.user_agent, e.data::json, e.before::json, e.after::json
    from unnest(${all('id')}::uuid[], ${all('workspace_id')}::uuid[], ${all('at')}::timestamptz[], ${all('action')}::text[],
      ${all('actor_type')}::text[], ${all('actor_id')}::uuid[], ${all('impersonator_id')}::uuid[], ${all('target_type')}::text[],
      ${all('target_id')}::uuid[], ${all('request_id')}::text[], ${all('address')}::text[], ${all('user_agent')}::text[],
      ${all('data')}::text[], ${all('before')}::text[], ${all('after')}::text[])
      with ordinality as e (id, workspace_id, at, action, actor_type, actor_id, impersonator_id, target_type, target_id, request_id,
        address, user_agent, data, before, after, position)
    order by e.position`.execute(db)
}

/** Answers how many entries lost what they held of the account. An entry must say that it was erased. */
export const eraseContent = async (db: TxDb, user_id: string): Promise<number> => {
  const { rows } = await sql<{ erased: number }>`select millrace.erase_audit_content(${user_id}::uuid) as erased`.execute(db)
  return rows[0]?.erased ?? 0
}

/** The entries of one chain; null for those of all. */
export type Chain = string | null

export interface Page {
  /** `seq` in a chain, `id` across chains: the two orders that never change once an entry can be seen. */
  readonly after: string | number | null
  readonly limit: number
  readonly descending: boolean
}

const filtered = (db: ReadDb, chain: Chain, filter: Filter) => {
  const { actor_id, action, target_id, from, to, request_id } = filter
  return db
    .selectFrom('audit_entries')
    .$if(chain !== null, (query) => query.where('chain', '=', chain as string))
    .$if(actor_id !== undefined, (query) =>
      query.where((of) => of.or([of('actor_id', '=', actor_id as string), of('impersonator_id', '=', actor_id as string)])),
    )
    .$if(action?.endsWith('*') === true, (query) => query.where(sql<boolean>`action ^@ ${action?.slice(0, -1)}`))
    .$if(action?.endsWith('*') === false, (query) => query.where('action', '=', action as string))
    .$if(target_id !== undefined, (query) => query.where('target_id', '=', target_id as string))
    .$if(from !== undefined, (query) => query.where('at', '>=', from as string))
    .$if(to !== undefined, (query) => query.where('at', '<', to as string))
    .$if(request_id !== undefined, (query) => query.where('request_id', '=', request_id as string))
}

export const listEntries = (db: ReadDb, chain: Chain, filter: Filter, page: Page): Promise<readonly EntryRow[]> => {
  const key = chain === null ? 'id' : 'seq'
  return filtered(db, chain, filter)
    .$if(page.after !== null, (query) => query.where(key, page.descending ? '<' : '>', page.after as never))
    .select(columns)
    .orderBy(key, page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<EntryRow>()
    .execute()
}

export const countEntries = async (db: ReadDb, chain: Chain, filter: Filter): Promise<number> => {
  const row = await filtered(db, chain, filter)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

/** What an account did and what was done to it, in all workspaces. In the system's scope. */
export const entriesAbout = (db: ReadDb, user_id: string, page: Page): Promise<readonly EntryRow[]> =>
  db
    .selectFrom('audit_entries')
    .where((of) => of.or([of('actor_id', '=', user_id), of('target_id', '=', user_id)]))
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after as string))
    .select(columns)
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<EntryRow>()
    .execute()

export const chainOf = (workspace_id: string | null): string => workspace_id ?? installation_chain
