import type { App } from '../../platform/context.ts'
import type { ScopeFacts } from '../compile.ts'
import { eventOf } from '../events.ts'
import type { Outcome, Step } from '../graph/plan.ts'
import type { Entry, RecordBody } from '../journal/record.ts'
import type { Live } from './live.ts'

/** How an execution ended: as the plan says, or because somebody wanted it to. */
export type End = Outcome | { readonly status: 'cancelled'; readonly output: null; readonly error: null }

/** The end of an execution as the journal writes it, its event included. */
export const finishOf = (app: App, facts: ScopeFacts, end: End, at: number): Entry['finish'] => {
  const { execution_id, workflow_id, version, mode } = facts
  const error = end.error === null ? null : { code: end.error.code, node_id: end.error.node_id }
  const data = { execution_id, workflow_id, version, mode, duration_ms: Math.max(0, at - facts.started_at), error }
  return {
    status: end.status,
    finished_at: new Date(at).toISOString(),
    error: end.error === null ? null : JSON.stringify(end.error),
    event: { id: app.newId(), name: eventOf[end.status].name, data: JSON.stringify(data) },
  }
}

/** The next record of an execution: `steps`, and its beginning and end where they fall into this commit. */
export const entryOf = (live: Live, steps: readonly Step[], end: End | null): Entry => {
  const { accept, facts } = live
  const at = live.host.app.now()
  const trigger = accept === null ? {} : { trigger: { node_id: live.run.fired.node_id, payload: accept.payload } }
  const ending = end === null ? {} : { ending: { status: end.status, error: end.error } }
  const body: RecordBody = { at, ...trigger, steps, ...ending }
  return {
    execution_id: facts.execution_id,
    workspace_id: facts.workspace_id,
    seq: live.next_seq,
    body: JSON.stringify(body),
    accept: accept?.row ?? null,
    finish: end === null ? null : finishOf(live.host.app, facts, end, at),
  }
}
