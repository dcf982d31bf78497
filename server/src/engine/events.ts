import { Type } from 'typebox'
import { defineEvent } from '../platform/events/event.ts'
import type { FinalStatus } from './contract.ts'

const Finished = Type.Object({
  execution_id: Type.String({ format: 'uuid' }),
  workflow_id: Type.String({ format: 'uuid' }),
  version: Type.Integer(),
  mode: Type.Union([Type.Literal('live'), Type.Literal('test')]),
  duration_ms: Type.Integer({ minimum: 0 }),
  error: Type.Union([Type.Null(), Type.Object({ code: Type.String(), node_id: Type.Union([Type.String(), Type.Null()]) })]),
})

export const executionSucceeded = defineEvent({
  name: 'workflows.execution.succeeded',
  doc: 'An execution came to its end.',
  data: Finished,
  audit: false,
})
export const executionFailed = defineEvent({
  name: 'workflows.execution.failed',
  doc: 'A step of an execution failed and nothing caught it.',
  data: Finished,
  audit: false,
})
export const executionCancelled = defineEvent({
  name: 'workflows.execution.cancelled',
  doc: 'Somebody ended an execution.',
  data: Finished,
  audit: false,
})
export const executionTimedOut = defineEvent({
  name: 'workflows.execution.timed_out',
  doc: "An execution ran longer than its workflow's time limit.",
  data: Finished,
  audit: false,
})

/** The event that the journal writes together with the end of an execution. */
export const eventOf: { readonly [S in FinalStatus]: typeof executionSucceeded } = {
  succeeded: executionSucceeded,
  failed: executionFailed,
  cancelled: executionCancelled,
  timed_out: executionTimedOut,
}

export const jobFailed = defineEvent({
  name: 'engine.job.failed',
  doc: 'Work of the product itself was given up: its attempts were used up, or trying again could not help.',
  data: Type.Object({
    execution_id: Type.String({ format: 'uuid' }),
    job: Type.String(),
    status: Type.Union([Type.Literal('failed'), Type.Literal('cancelled'), Type.Literal('timed_out')]),
    code: Type.Union([Type.String(), Type.Null()]),
  }),
})

export const historyTrimmed = defineEvent({
  name: 'engine.history.trimmed',
  doc: 'Executions were removed whose retention was over: so many, and of them whole weeks, whose tables took so many bytes.',
  data: Type.Object({
    executions: Type.Integer({ minimum: 0 }),
    weeks: Type.Integer({ minimum: 0 }),
    bytes: Type.Integer({ minimum: 0 }),
  }),
  audit: false,
})
