import type { App } from '../../platform/context.ts'
import type { ScopeFacts } from '../compile.ts'
import { eventOf, jobFailed } from '../events.ts'
import { jobTypes, workspaceOf } from '../job-types.ts'
import type { Outcome, Step } from '../graph/plan.ts'
import type { Entry, RecordBody, RegionFact } from '../journal/record.ts'
import type { Live } from './live.ts'

/** How an execution ended: as the plan says, or because somebody wanted it to. */
export type End = Outcome | { readonly status: 'cancelled'; readonly output: null; readonly error: null }

/** The end of an execution as the journal writes it, its event included. */
export const finishOf = (app: App, facts: ScopeFacts, end: End, at: number): Entry['finish'] => ({
  status: end.status,
  finished_at: new Date(at).toISOString(),
  error: end.error === null ? null : JSON.stringify(end.error),
  event: facts.mode === 'job' ? eventOfJob(app, facts, end) : eventOfWorkflow(app, facts, end, at),
})

type EndEvent = NonNullable<Entry['finish']>['event']

const eventOfWorkflow = (app: App, facts: ScopeFacts, end: End, at: number): EndEvent => {
  const { execution_id, workflow_id, workspace_id, version, mode } = facts
  const error = end.error === null ? null : { code: end.error.code, node_id: end.error.node_id }
  const data = { execution_id, workflow_id, version, mode, duration_ms: Math.max(0, at - facts.started_at), error }
  return { id: app.newId(), workspace_id, name: eventOf[end.status].name, data: JSON.stringify(data) }
}

/** What a job has done it tells itself; that it could not, nobody else would. */
const eventOfJob = (app: App, facts: ScopeFacts, end: End): EndEvent => {
  if (end.status === 'succeeded') return null
  const { execution_id, workspace_id } = facts
  const data = {
    execution_id,
    job: app.use(jobTypes).get(facts.workflow_id)?.job.name ?? '',
    status: end.status,
    code: end.error?.code ?? null,
  }
  return { id: app.newId(), workspace_id: workspaceOf(workspace_id), name: jobFailed.name, data: JSON.stringify(data) }
}

/** What a record holds. */
export interface Recorded {
  readonly steps: readonly Step[]
  readonly regions: readonly RegionFact[]
  readonly end: End | null
  /** Unix milliseconds; null: it stays in memory. */
  readonly wake_at: number | null
  /** It sleeps because somebody has paused it. */
  readonly paused?: boolean
}

/** What the turns gave is in the records already. */
const withoutGathered = (step: Step): Step => (step.gathered === true ? { ...step, output: null } : step)

const beginningOf = (node_id: string, { payload, draft }: NonNullable<Live['accept']>): Pick<RecordBody, 'trigger' | 'draft'> => {
  const trigger = { node_id, payload }
  return draft === undefined ? { trigger } : { trigger, draft }
}

/** The next record of an execution: `steps`, and its beginning and end where they fall into this commit. */
export const entryOf = (live: Live, turn: Recorded): Entry => {
  const { accept, facts } = live
  const { steps, regions, end, wake_at, paused = false } = turn
  const at = live.host.app.now()
  const trigger = accept === null ? {} : beginningOf(live.run.fired.node_id, accept)
  const ending = end === null ? {} : { ending: { status: end.status, error: end.error } }
  const body: RecordBody = {
    at,
    ...trigger,
    ...(live.vars_due === null ? {} : { vars: live.vars_due }),
    steps: steps.map(withoutGathered),
    ...(regions.length > 0 ? { regions } : {}),
    ...ending,
    ...(paused ? { paused: {} } : {}),
  }
  return {
    execution_id: facts.execution_id,
    workspace_id: facts.workspace_id,
    seq: live.next_seq,
    body: JSON.stringify(body),
    accept: accept?.row ?? null,
    finish: end === null ? null : finishOf(live.host.app, facts, end, at),
    wake_at: wake_at === null ? null : new Date(wake_at).toISOString(),
  }
}
