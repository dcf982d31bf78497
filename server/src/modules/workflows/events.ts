import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'

const about = { workflow_id: Type.String({ format: 'uuid' }), name: Type.String(), revision: Type.Integer() }
const About = Type.Object(about)

export const created = defineEvent({ name: 'workflows.created', doc: 'A workflow was made; it is a draft.', data: About })
export const imported = defineEvent({
  name: 'workflows.imported',
  doc: 'A workflow was made of a file. `left_over`: how many of its nodes are for a person to finish.',
  data: Type.Object({ ...about, source: Type.String(), left_over: Type.Integer() }),
})
export const updated = defineEvent({
  name: 'workflows.updated',
  doc: 'The draft, the name, the description or the tags of a workflow changed. Says which, not to what.',
  data: Type.Object({ ...about, fields: Type.Array(Type.String()) }),
})
export const published = defineEvent({
  name: 'workflows.published',
  doc: 'A version of a workflow was published; the workflow is active.',
  data: Type.Object({
    ...about,
    version: Type.Integer(),
    tests: Type.Union([Type.Literal('passed'), Type.Literal('skipped'), Type.Literal('none')], {
      description: 'Whether the tests of the draft were run; where they fail nothing is published.',
    }),
  }),
})
export const paused = defineEvent({
  name: 'workflows.paused',
  doc: 'A workflow starts no more executions until it is resumed.',
  data: About,
})
export const resumed = defineEvent({ name: 'workflows.resumed', doc: 'A paused workflow is active again.', data: About })
export const archived = defineEvent({
  name: 'workflows.archived',
  doc: 'A workflow was put away; its webhook paths are free.',
  data: About,
})
export const deleted = defineEvent({
  name: 'workflows.deleted',
  doc: 'A workflow and its versions were removed; its executions stay until their retention is over.',
  data: About,
})

const execution = {
  execution_id: Type.String({ format: 'uuid' }),
  workflow_id: Type.String({ format: 'uuid' }),
  version: Type.Integer(),
  mode: Type.Union([Type.Literal('live'), Type.Literal('test')]),
}

export const executionRetried = defineEvent({
  name: 'workflows.execution.retried',
  doc: 'An execution that had failed, was cancelled or timed out goes on from where it ended.',
  data: Type.Object(execution),
})
export const bulkStarted = defineEvent({
  name: 'workflows.bulk.started',
  doc: 'Somebody does something to many executions. Each of them has an event of its own besides.',
  data: Type.Object({ bulk_id: Type.String({ format: 'uuid' }), verb: Type.String(), total: Type.Integer() }),
})
export const executionDismissed = defineEvent({
  name: 'workflows.execution.dismissed',
  doc: 'Somebody has said that nothing is to be done about an execution that failed.',
  data: Type.Object(execution),
})
export const executionForked = defineEvent({
  name: 'workflows.execution.forked',
  doc: 'A new execution was started that goes on from a step of another one, or anew from its start.',
  data: Type.Object({
    ...execution,
    from_execution_id: Type.String({ format: 'uuid' }),
    node_id: Type.Union([Type.String(), Type.Null()]),
  }),
})
export const executionPaused = defineEvent({
  name: 'workflows.execution.paused',
  doc: 'Somebody lets an execution come to rest. What was in flight comes back first.',
  data: Type.Object(execution),
})
export const executionResumed = defineEvent({
  name: 'workflows.execution.resumed',
  doc: 'A paused execution goes on.',
  data: Type.Object(execution),
})

const secret = { secret_id: Type.String({ format: 'uuid' }), name: Type.String() }

export const secretCreated = defineEvent({
  name: 'workflows.secret.created',
  doc: 'A secret for workflows was kept. Its value is told to nobody.',
  data: Type.Object(secret),
})
export const secretUpdated = defineEvent({
  name: 'workflows.secret.updated',
  doc: 'A secret for workflows was renamed or, where `replaced`, given a new value.',
  data: Type.Object({ ...secret, replaced: Type.Boolean() }),
})
export const secretDeleted = defineEvent({
  name: 'workflows.secret.deleted',
  doc: 'A secret for workflows was removed.',
  data: Type.Object(secret),
})

export const requestReplayed = defineEvent({
  name: 'workflows.request.replayed',
  doc: 'Somebody has started a workflow with a call that one of its webhooks has had; `reason`: why the call was refused, where it was.',
  data: Type.Object({
    workflow_id: Type.String({ format: 'uuid' }),
    request_id: Type.String({ format: 'uuid' }),
    execution_id: Type.String({ format: 'uuid' }),
    outcome: Type.Union([Type.Literal('accepted'), Type.Literal('refused')]),
    reason: Type.Union([Type.String(), Type.Null()]),
  }),
})

export const variableSet = defineEvent({
  name: 'workflows.variable.set',
  doc: 'A variable of the workspace was made or changed. Says which, not to what.',
  data: Type.Object({ name: Type.String(), created: Type.Boolean() }),
})
export const variableDeleted = defineEvent({
  name: 'workflows.variable.deleted',
  doc: 'A variable of the workspace was removed.',
  data: Type.Object({ name: Type.String() }),
})

const approval = { approval_id: Type.String({ format: 'uuid' }), execution_id: Type.String({ format: 'uuid' }) }

export const approvalRequested = defineEvent({
  name: 'workflows.approval.requested',
  doc: 'A workflow asks members of its workspace to decide.',
  data: Type.Object({ ...approval, approvers: Type.Array(Type.String({ format: 'uuid' })), needed: Type.Integer() }),
})
export const approvalEscalated = defineEvent({
  name: 'workflows.approval.escalated',
  doc: 'Not enough have decided in time: others were asked as well, for the so-many-th `time`. `approvers`: those others.',
  data: Type.Object({ ...approval, approvers: Type.Array(Type.String({ format: 'uuid' })), time: Type.Integer() }),
})
export const approvalDecided = defineEvent({
  name: 'workflows.approval.decided',
  doc: 'Somebody has approved or rejected. `outcome`: what that settled, or null while others are missing.',
  data: Type.Object({
    ...approval,
    decision: Type.Union([Type.Literal('approve'), Type.Literal('reject')]),
    outcome: Type.Union([Type.Literal('approved'), Type.Literal('rejected'), Type.Null()]),
  }),
})
