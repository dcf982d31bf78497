import type { Sql, TransactionSql } from 'postgres'
import { type Candidate, decide, nameOf } from './decide.ts'

export interface LineName {
  readonly workflow_id: string
  readonly line: string
}

export interface Admission {
  /** How many were admitted: they are queued for whoever has room. */
  readonly count: number
  /** Lines with more candidates than were looked at. */
  readonly again: readonly LineName[]
  /** Lines in which a rate holds somebody up, and in how many milliseconds no more. */
  readonly later: readonly (LineName & { readonly ms: number })[]
}

/** Heads of one line that are looked at. */
const page = 500

interface HeadRow extends Candidate {
  /** Null: no limit. */
  readonly free: number | null
  readonly rate: number | null
  readonly per_ms: number | null
}

/**
 * Admits the next of some lines, as far as there are slots. The lock on the workflow makes whoever asks in another process wait, and the statement after
 * it sees what that one has admitted: so no limit is ever exceeded, and slots, which are counted and not kept in a counter, cannot leak. Nothing is waited
 * for on its way to the disk: the claim that builds on it is.
 */
export const admit = (sql: Sql, lines: readonly LineName[]): Promise<Admission> =>
  sql.begin(async (tx) => {
    const workflows = [...new Set(lines.map((line) => line.workflow_id))].toSorted()
    // In one round trip: each statement sees what was committed before it began, which is after the locks.
    const [, , heads] = await Promise.all([
      tx`set local synchronous_commit = off`,
      tx`select pg_advisory_xact_lock(hashtextextended(workflow_id, 0)) from unnest(${workflows}::text[]) as workflow_id`,
      headsOf(tx, lines),
    ])
    if (heads.length === 0) return { count: 0, again: [], later: [] }
    const rates = await ratesOf(tx, heads)
    const { admitted, held_up } = decide(heads, {
      slots: new Map(heads.map((head) => [nameOf(head.workflow_id, head.line), head.free])),
      starts: new Map([...rates].map(([name, { left }]) => [name, left])),
    })
    const count = admitted.length === 0 ? 0 : await write(tx, admitted)
    const later = new Map<string, LineName & { readonly ms: number }>()
    for (const { workflow_id, line, rate_key } of held_up) {
      const ms = rates.get(nameOf(workflow_id, rate_key ?? ''))?.ready_in_ms ?? 0
      const known = later.get(nameOf(workflow_id, line))
      if (known === undefined || ms < known.ms) later.set(nameOf(workflow_id, line), { workflow_id, line, ms })
    }
    const full = [...Map.groupBy(heads, (head) => nameOf(head.workflow_id, head.line)).values()].filter((of) => of.length === page)
    const again = admitted.length === 0 ? [] : full.map(([head]) => head as HeadRow)
    return { count, again, later: [...later.values()] }
  })

const headsOf = (tx: TransactionSql, lines: readonly LineName[]) => tx<HeadRow[]>`
  select next.id, named.workflow_id, named.line, next.rate_key, next.priority, slots.free, limits.rate, limits.per_ms
  from unnest(${lines.map((line) => line.workflow_id)}::uuid[], ${lines.map((line) => line.line)}::text[]) as named (workflow_id, line)
  left join engine_limits as limits on limits.workflow_id = named.workflow_id
  cross join lateral (
    select limits.concurrency - (
      select count(*)
      from executions as e
      where e.workflow_id = named.workflow_id and e.line = named.line and e.admitted_at is not null and e.finished_at is null
    ) as free
  ) as slots
  cross join lateral (
    select e.id, e.rate_key, e.priority
    from executions as e
    where e.workflow_id = named.workflow_id and e.line = named.line
      and e.line is not null and e.admitted_at is null and e.wake_at is not null and e.paused_at is null
    order by e.priority desc, e.id
    limit case
      when limits.held then 0
      when slots.free <= 0 then 0
      when limits.rate is null then least(coalesce(slots.free, ${page}::int), ${page}::int)
      else ${page}::int
    end
  ) as next`

interface Rate {
  /** Starts that it allows now. */
  readonly left: number
  /** When it allows the next, once those are used. */
  readonly ready_in_ms: number
}

const ratesOf = async (tx: TransactionSql, heads: readonly HeadRow[]): Promise<ReadonlyMap<string, Rate>> => {
  const limited = heads.filter((head) => head.rate !== null && head.rate_key !== null)
  const names = [...new Map(limited.map((head) => [nameOf(head.workflow_id, head.rate_key ?? ''), head])).values()]
  if (names.length === 0) return new Map()
  const rows = await tx<{ workflow_id: string; key: string; left: number; ready_in_ms: number }[]>`
    with clock as materialized (select clock_timestamp() as now)
    select named.workflow_id, named.key, named.rate - used.count as left,
      ceil(coalesce(extract(epoch from used.first + named.per - clock.now), extract(epoch from named.per)) * 1000)::float8 as ready_in_ms
    from clock
    cross join (
      select workflow_id, key, rate, make_interval(secs => per_ms / 1000.0::float8) as per
      from unnest(${names.map((name) => name.workflow_id)}::uuid[], ${names.map((name) => name.rate_key)}::text[],
        ${names.map((name) => name.rate)}::int[], ${names.map((name) => name.per_ms)}::bigint[]) as n (workflow_id, key, rate, per_ms)
    ) as named
    cross join lateral (
      select count(*) as count, min(s.at) as first
      from engine_rate_starts as s
      where s.workflow_id = named.workflow_id and s.key = named.key and s.at > clock.now - named.per
    ) as used`
  return new Map(rows.map(({ workflow_id, key, left, ready_in_ms }) => [nameOf(workflow_id, key), { left, ready_in_ms }]))
}

/** A start is noted at a later time than the one it was decided at, so that it counts for no shorter time than it should. */
const write = async (tx: TransactionSql, admitted: readonly Candidate[]): Promise<number> => {
  const [row] = await tx<{ count: number }[]>`
    with admitted as (
      update executions
      set admitted_at = clock_timestamp(), wake_at = null
      where id = any(${admitted.map(({ id }) => id)}::uuid[]) and line is not null and admitted_at is null and wake_at is not null and paused_at is null
      returning id, workspace_id, workflow_id, rate_key
    ),
    expired as (
      delete from engine_rate_starts
      where (workflow_id, key, at, execution_id) in (
        select workflow_id, key, at, execution_id
        from engine_rate_starts
        where expires_at < clock_timestamp()
        order by expires_at
        limit 1000
        for update skip locked
      )
    ),
    noted as (
      insert into engine_rate_starts (workflow_id, key, at, execution_id, workspace_id, expires_at)
      select workflow_id, a.rate_key, clock_timestamp(), a.id, a.workspace_id,
        clock_timestamp() + make_interval(secs => limits.per_ms / 1000.0::float8)
      from admitted as a
      join engine_limits as limits using (workflow_id)
      where a.rate_key is not null and limits.rate is not null
    )
    select count(*) as count from admitted`
  return row?.count ?? 0
}

/** Lines in which somebody stands, by name, from after this one; at most so many. */
export const linesAfter = (sql: Sql, after: LineName, most: number): Promise<readonly LineName[]> => sql<LineName[]>`
  with recursive lines as (
    (
      select workflow_id, line, 1 as nth
      from executions
      where line is not null and admitted_at is null and wake_at is not null and paused_at is null and (workflow_id, line) > (${after.workflow_id}::uuid, ${after.line})
      order by workflow_id, line
      limit 1
    )
    union all
    select next.workflow_id, next.line, lines.nth + 1
    from lines
    cross join lateral (
      select workflow_id, line
      from executions
      where line is not null and admitted_at is null and wake_at is not null and paused_at is null and (workflow_id, line) > (lines.workflow_id, lines.line)
      order by workflow_id, line
      limit 1
    ) as next
    where lines.nth < ${most}
  )
  select workflow_id, line from lines`
