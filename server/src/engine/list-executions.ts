import { type RawBuilder, sql } from 'kysely'
import { firstId } from '../lib/id.ts'
import type { ReadDb } from '../platform/database/open.ts'
import type { ExecutionStatus } from './contract.ts'
import { columns, type ExecutionSummary, summaryOf } from './history.ts'

export interface ExecutionFilter {
  readonly workflow_id?: string | undefined
  /** Any of them. */
  readonly status?: readonly ExecutionStatus[] | undefined
  readonly mode?: ExecutionSummary['mode'] | undefined
  readonly trigger?: string | undefined
  readonly version?: number | undefined
  /** ISO 8601; on `started_at`. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** Part of the code or the message of the error, in upper or lower case. */
  readonly error?: string | undefined
  readonly error_code?: string | undefined
  /** The execution that has called it. */
  readonly parent_execution_id?: string | undefined
  /** Failed or timed out, in earnest, and nobody has looked after it. */
  readonly dead?: true | undefined
}

export interface ExecutionPage {
  /** The id after which the page begins, in the page's order. */
  readonly after?: string | undefined
  readonly order: 'asc' | 'desc'
  readonly limit: number
}

export interface FoundExecutions {
  readonly executions: readonly ExecutionSummary[]
  /** Where to go on: as many executions were looked at as one answer may take, and fewer found than asked for. Null: these are all, or more than enough. */
  readonly go_on_after: string | null
}

/**
 * Executions looked at for one page: some 10 ms. What no index answers is looked for among them, so that a page takes no longer however many
 * are kept and however few fit.
 */
const looked_at = 5_000
/** A text is compared with each error. */
const looked_at_for_text = 2_000
const mostOf = ({ error }: ExecutionFilter): number => (error === undefined ? looked_at : looked_at_for_text)

/** An id is made before its execution starts: as long before as it waited for its turn, and by another clock. */
const slack_ms = { before: 7 * 86_400_000, after: 60_000 }

type Condition = RawBuilder<boolean>

const unsuccessful: readonly ExecutionStatus[] = ['failed', 'cancelled', 'timed_out']
const unfinished: readonly ExecutionStatus[] = ['queued', 'running', 'waiting']

/** What an index answers. Words stand in the text and not in parameters: only so does the planner see that a partial index holds the rows. */
const indexed = (filter: ExecutionFilter): Condition[] => {
  const { workflow_id, status, mode, from, to, error, error_code, parent_execution_id } = filter
  const conditions: Condition[] = []
  if (filter.dead === true) conditions.push(sql`status in ('failed', 'timed_out') and mode = 'live' and dismissed_at is null`)
  if (workflow_id !== undefined) conditions.push(sql`workflow_id = ${workflow_id}`)
  const only = (some: readonly ExecutionStatus[]): boolean => status?.every((one) => some.includes(one)) === true
  if (only(unsuccessful) || error !== undefined || error_code !== undefined)
    conditions.push(sql`status in ('failed', 'cancelled', 'timed_out')`)
  else if (only(unfinished)) conditions.push(sql`finished_at is null`)
  if (mode === 'test') conditions.push(sql`mode = 'test'`)
  if (from !== undefined) conditions.push(sql`id >= ${firstId(Date.parse(from) - slack_ms.before)}`)
  if (to !== undefined) conditions.push(sql`id < ${firstId(Date.parse(to) + slack_ms.after)}`)
  if (parent_execution_id !== undefined)
    conditions.push(sql`id in (select execution_id from engine_calls where parent_execution_id = ${parent_execution_id})`)
  return conditions
}

/**
 * What an error says, or its code. Not `->>` where the text may hold what PostgreSQL cannot say, \u0000 and half a character: they alone are
 * kept with a backslash and a u, and there the error is searched as it was written.
 */
const decoded = (part: RawBuilder<unknown>) =>
  sql`case when strpos(error::text, '\\u') = 0 then ${part} else replace(error::text, '\\u', '?') end`
const errorText = decoded(sql`concat_ws(chr(10), error ->> 'code', error ->> 'message')`)

const likeAnywhere = (text: string): string => `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`

/** The first condition of each pair only spares the second, which takes an error apart. */
const ofError = ({ error, error_code }: ExecutionFilter): Condition[] => [
  ...(error === undefined
    ? []
    : [
        sql<boolean>`error::text ilike ${likeAnywhere(JSON.stringify(error).slice(1, -1))}`,
        sql<boolean>`${errorText} ilike ${likeAnywhere(error)}`,
      ]),
  ...(error_code === undefined
    ? []
    : [
        sql<boolean>`strpos(error::text, ${JSON.stringify(error_code)}) > 0`,
        sql<boolean>`substring(error::text from '"code" *: *"([^"]*)"') = ${error_code}`,
      ]),
]

/** What is looked for row by row. */
const looked = (filter: ExecutionFilter): Condition[] => {
  const { status, mode, trigger, version, from, to } = filter
  const conditions: Condition[] = [sql`mode <> 'job'`, ...ofError(filter)]
  if (status !== undefined) conditions.push(sql`status = any(${[...status]}::text[])`)
  if (mode === 'live') conditions.push(sql`mode = 'live'`)
  if (trigger !== undefined) conditions.push(sql`trigger_type = ${trigger}`)
  if (version !== undefined) conditions.push(sql`version = ${version}`)
  if (from !== undefined) conditions.push(sql`started_at >= ${from}`)
  if (to !== undefined) conditions.push(sql`started_at < ${to}`)
  return conditions
}

const all = (conditions: readonly Condition[]) => sql.join([...conditions, sql`true`], sql` and `)

/** The ones that are looked at, in the page's order. */
const within = (filter: ExecutionFilter, { after, order }: ExecutionPage) => {
  const conditions = indexed(filter)
  if (after !== undefined) conditions.push(order === 'asc' ? sql`id > ${after}` : sql`id < ${after}`)
  return sql`from executions where ${all(conditions)} order by id ${sql.raw(order)}`
}

/** Executions of the caller's workspace by id, which is by time. */
export const listExecutions = async (db: ReadDb, filter: ExecutionFilter, page: ExecutionPage): Promise<FoundExecutions> => {
  const wanted = sql.join(columns.map((column) => sql.ref(column)))
  const { rows } = await sql<Parameters<typeof summaryOf>[0]>`
    select ${wanted}
    from (select * ${within(filter, page)} limit ${mostOf(filter)}) as e
    where ${all(looked(filter))}
    limit ${page.limit}`.execute(db)
  const executions = rows.map(summaryOf)
  if (rows.length === page.limit) return { executions, go_on_after: null }
  const { rows: last } = await sql<{ id: string }>`
    select id ${within(filter, page)} limit 1 offset ${mostOf(filter) - 1}`.execute(db)
  return { executions, go_on_after: last[0]?.id ?? null }
}

export const countExecutions = async (db: ReadDb, filter: ExecutionFilter): Promise<number> => {
  const { rows } = await sql<{ total: number }>`
    select count(*) as total
    from executions
    where ${all([...indexed(filter), ...looked(filter)])}`.execute(db)
  return rows[0]?.total ?? 0
}
