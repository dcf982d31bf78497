import { sql } from 'kysely'
import type { Ctx } from '../../platform/context.ts'

/** The partitions that hold what began in one week. */
export interface Week {
  /** Ids from `lower` on and before `upper`. */
  readonly lower: string
  readonly upper: string
  /** Names of the tables, those of records last. */
  readonly tables: readonly string[]
  readonly bytes: number
}

const parents = ['executions', 'execution_records']

/** Of the journal, the oldest first. */
export const listWeeks = async (ctx: Ctx): Promise<readonly Week[]> => {
  const { rows } = await ctx.tx((tx) =>
    sql<{ name: string; bounds: string; bytes: number }>`
      select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bounds, coalesce(pg_total_relation_size(c.oid), 0) as bytes
      from pg_inherits as i
      join pg_class as c on c.oid = i.inhrelid
      join pg_class as p on p.oid = i.inhparent
      where p.relnamespace = 'public'::regnamespace and p.relname = any(${parents}::text[])
      order by p.relname desc, c.relname`.execute(tx.db),
  )
  const weeks = new Map<string, Week>()
  for (const { name, bounds, bytes } of rows) {
    const [, lower, upper] = /FROM \('([0-9a-f-]{36})'\) TO \('([0-9a-f-]{36})'\)/.exec(bounds) ?? []
    if (lower === undefined || upper === undefined) continue
    const known = weeks.get(lower)
    weeks.set(lower, { lower, upper, tables: [...(known?.tables ?? []), name], bytes: bytes + (known?.bytes ?? 0) })
  }
  return [...weeks.values()].toSorted((a, b) => (a.lower < b.lower ? -1 : 1))
}

const last_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
const first_id = '00000000-0000-0000-0000-000000000000'

/** What lies between the weeks, in the default partition: rows that came before their week was made, and those put there when theirs was dropped. */
export const gapsBetween = (weeks: readonly Week[]): readonly Pick<Week, 'lower' | 'upper'>[] => {
  const edges = [first_id, ...weeks.flatMap(({ lower, upper }) => [lower, upper]), last_id]
  const gaps = []
  for (let at = 0; at < edges.length; at += 2) gaps.push({ lower: edges[at] as string, upper: edges[at + 1] as string })
  return gaps.filter(({ lower, upper }) => lower < upper)
}

/** Of the names of tables that were taken out of the journal. */
export const retired_prefix = 'retired_'
export const retiredName = (table: string): string => `${retired_prefix}${table}`

/** The executions of a week that was taken out, and their records. */
export interface Retired {
  readonly executions: string | null
  readonly records: string | null
}

/** What was taken out of the journal and is still to be dropped. */
export const listRetired = async (ctx: Ctx): Promise<readonly Retired[]> => {
  const { rows } = await ctx.tx((tx) =>
    sql<{ name: string }>`
      select relname as name
      from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r' and starts_with(relname, ${retired_prefix})
      order by relname`.execute(tx.db),
  )
  const byWeek = Map.groupBy(rows, ({ name }) => name.slice(name.lastIndexOf('_') + 1))
  return [...byWeek.values()].map((tables) => ({
    executions: tables.find(({ name }) => name.startsWith(retiredName('executions_')))?.name ?? null,
    records: tables.find(({ name }) => name.startsWith(retiredName('execution_records_')))?.name ?? null,
  }))
}
