import type { Run } from '../database/dialect.ts'
import type { Changes } from './changes.ts'
import type { Origin, RecordedEvent } from './event.ts'

/**
 * Where a reader of the log stands. Its heart is a snapshot of PostgreSQL: the set of transactions that had ended when the reader
 * last looked. What is committed now and was not then is what it has not seen, whatever order ids and sequences were handed
 * out in, and without waiting for transactions that are still open.
 */
export interface Position {
  /** `pg_snapshot`: `xmin:xmax:xip,…`. Everything visible in it has been read. */
  readonly snapshot: string
  /** No event that is still to be read has a lower id; it keeps the search to the newest partitions. */
  readonly floor: string
  /** Set while more than one batch lies between `snapshot` and it: the snapshot that these are read up to, by `seq`. */
  readonly target: string | null
  readonly seq: number
}

export interface Batch {
  /** Ascending by `seq`. */
  readonly events: readonly RecordedEvent[]
  /** Where the reader stands once it has dealt with them. */
  readonly next: Position
  /** There is, or may be, more to read at once. */
  readonly more: boolean
}

export const startOfLog = `select pg_current_snapshot()::text as snapshot, millrace.first_id(now() - interval '7 days') as floor`

/** The position of who has read nothing: no transaction had ended. */
export const beginningOfLog = `select '1:1:' as snapshot, millrace.first_id('epoch') as floor`

const columns = 'id, seq, name, workspace_id, actor_type, actor_id, impersonator_id, origin, data, changes, created_at'

// The two arms are what `not pg_visible_in_snapshot(tx_id, $1)` says, in words that the index on tx_id understands. A transaction lives
// for minutes at most; the seven days leave room for a clock that was set. Both arms are in the order of that index: after a restore all events are of one
// transaction, and a planner that is free to take them in any order reads the table.
const fresh = `
with fresh as materialized (
  (
    select ${columns}
    from events
    where tx_id >= pg_snapshot_xmax($1::pg_snapshot)
      and id >= $2
      and (name = any($3::text[]) or name ^@ any($4::text[]))
    order by tx_id
    limit $5
  )
  union all
  (
    select ${columns}
    from events
    where tx_id = any(array(select pg_snapshot_xip($1::pg_snapshot)))
      and id >= $2
      and (name = any($3::text[]) or name ^@ any($4::text[]))
    order by tx_id
    limit $5
  )
)
select now.snapshot, now.floor, fresh.*
from (${startOfLog}) as now
left join fresh on true`

const page = `
select ${columns}
from events
where seq > $6
  and not pg_visible_in_snapshot(tx_id, $1::pg_snapshot)
  and pg_visible_in_snapshot(tx_id, $7::pg_snapshot)
  and id >= $2
  and (name = any($3::text[]) or name ^@ any($4::text[]))
order by seq
limit $5`

interface Row {
  readonly id: string | null
  readonly seq: number
  readonly name: string
  readonly workspace_id: string | null
  readonly actor_type: string
  readonly actor_id: string | null
  readonly impersonator_id: string | null
  readonly origin: Origin | null
  readonly data: unknown
  readonly changes: Changes | null
  readonly created_at: string
  readonly snapshot: string
  readonly floor: string
}

/** Event names that a consumer asks for, apart from prefixes (`identity.*` without its star). */
export interface Filter {
  readonly names: readonly string[]
  readonly prefixes: readonly string[]
}

export const filterOf = (patterns: readonly string[]): Filter => ({
  names: patterns.filter((pattern) => !pattern.endsWith('*')),
  prefixes: patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1)),
})

export const matches = (filter: Filter, name: string): boolean =>
  filter.names.includes(name) || filter.prefixes.some((prefix) => name.startsWith(prefix))

/** Reads the next at most `size` events after a position. */
export const readNext = async (run: Run, position: Position, filter: Filter, size: number): Promise<Batch> => {
  const { names, prefixes } = filter
  let { target, seq } = position
  if (target === null) {
    const rows = (await run(fresh, [position.snapshot, position.floor, names, prefixes, size + 1])) as unknown as Row[]
    const { snapshot, floor } = rows[0] as Row
    const found = rows.filter((row) => row.id !== null)
    if (found.length <= size) {
      return { events: found.toSorted((a, b) => a.seq - b.seq).map(toEvent), next: { snapshot, floor, target: null, seq: 0 }, more: false }
    }
    target = snapshot
    seq = 0
  }
  const rows = (await run(page, [position.snapshot, position.floor, names, prefixes, size, seq, target])) as unknown as Row[]
  const last = rows.at(-1)
  const done = { snapshot: target, floor: position.floor, target: null, seq: 0 }
  const next = last === undefined || rows.length < size ? done : { ...position, target, seq: last.seq }
  return { events: rows.map(toEvent), next, more: true }
}

const toEvent = (row: Row): RecordedEvent => ({
  id: row.id as string,
  seq: row.seq,
  name: row.name,
  workspace_id: row.workspace_id,
  actor: { type: row.actor_type, id: row.actor_id },
  impersonator_id: row.impersonator_id,
  origin: row.origin,
  data: row.data,
  changes: row.changes,
  created_at: row.created_at,
})
