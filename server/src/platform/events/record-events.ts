import type { Statement } from '../database/transaction.ts'

/** An event of the transaction that is under way. */
export interface NewEvent {
  readonly name: string
  readonly data: unknown
}

export interface Recording {
  readonly workspace_id: string | null
  readonly actor_type: string
  readonly actor_id: string | null
  /** ISO 8601, UTC. */
  readonly created_at: string
}

const text = `
insert into events (name, data, workspace_id, actor_type, actor_id, created_at)
select e.name, e.data::json, $3::uuid, $4, $5::uuid, $6::timestamptz
from unnest($1::text[], $2::text[]) with ordinality as e (name, data, position)
order by e.position`

/** One statement for any number of events, so that it is prepared once. */
export const recordEvents = (events: readonly NewEvent[], by: Recording): Statement => ({
  text,
  parameters: [
    events.map((event) => event.name),
    events.map((event) => JSON.stringify(event.data)),
    by.workspace_id,
    by.actor_type,
    by.actor_id,
    by.created_at,
  ],
})
