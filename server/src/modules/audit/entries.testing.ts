import { randomUUID } from 'node:crypto'
import type { Sql } from 'postgres'
import type { RecordedEvent } from '../../platform/events/event.ts'

/** An event as a consumer hears it. */
export const recorded = (event: Partial<RecordedEvent> = {}): RecordedEvent => ({
  id: randomUUID(),
  seq: 1,
  name: 'mill.sack.filled',
  workspace_id: null,
  actor: { type: 'user', id: randomUUID() },
  impersonator_id: null,
  origin: { request_id: randomUUID(), address: '198.51.100.7', user_agent: 'stone/1.0' },
  data: { sack: 1 },
  changes: { before: { weight: 1 }, after: { weight: 2 } },
  created_at: new Date().toISOString(),
  ...event,
})

/**
 * Does with the audit what only the owner of the database can: past grants and policies, and past the trigger too, as somebody would who
 * covers their tracks.
 */
export const tamper = (owner: Sql, work: (sql: Sql) => Promise<unknown>): Promise<unknown> =>
  owner.begin(async (sql) => {
    await sql`set local session_replication_role = replica`
    await work(sql as unknown as Sql)
  })
