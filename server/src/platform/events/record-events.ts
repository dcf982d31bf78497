import type { Statement } from '../database/transaction.ts'
import { type Changes, recordedChanges } from './changes.ts'
import type { Origin } from './event.ts'

/** An event of the transaction that is under way. */
export interface NewEvent {
  readonly name: string
  readonly data: unknown
  readonly changes: Changes | undefined
}

export interface Recording {
  readonly workspace_id: string | null
  readonly actor_type: string
  readonly actor_id: string | null
  readonly impersonator_id: string | null
  readonly origin: Origin | null
  /** ISO 8601, UTC. */
  readonly created_at: string
}

const text = `
insert into events (name, data, changes, workspace_id, actor_type, actor_id, impersonator_id, origin, created_at)
select e.name, e.data::json, e.changes::json, $4::uuid, $5, $6::uuid, $7::uuid, $8::json, $9::timestamptz
from unnest($1::text[], $2::text[], $3::text[]) with ordinality as e (name, data, changes, position)
order by e.position`

/** One statement for any number of events, so that it is prepared once. */
export const recordEvents = (events: readonly NewEvent[], by: Recording): Statement => ({
  text,
  parameters: [
    events.map((event) => event.name),
    events.map((event) => JSON.stringify(event.data)),
    events.map((event) => (event.changes === undefined ? null : recordedChanges(event.changes))),
    by.workspace_id,
    by.actor_type,
    by.actor_id,
    by.impersonator_id,
    by.origin,
    by.created_at,
  ],
})
