import { Type, type Static } from 'typebox'
import { trigger } from '../node.ts'

export const FailureTriggerConfig = Type.Object(
  {
    workflow_ids: Type.Optional(
      Type.Array(Type.String({ format: 'literal', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }), {
        minItems: 1,
        maxItems: 1_000,
        uniqueItems: true,
        description: 'Of which workflows; every other one of the workspace when not given.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type FailureTriggerConfig = Static<typeof FailureTriggerConfig>

export const failureTrigger = trigger({
  type: 'trigger.failure',
  title: 'Failure of a workflow',
  description:
    'Starts when an execution of another workflow fails or takes too long, once; also of a workflow that names this one as `settings.error_workflow_id`. Never for its own failures, nor for those of executions that a failure started.',
  icon: 'alert-triangle',
  config: FailureTriggerConfig,
  output: Type.Object({
    execution_id: Type.String({ format: 'uuid' }),
    workflow_id: Type.String({ format: 'uuid' }),
    workflow_name: Type.Union([Type.String(), Type.Null()], { description: 'Null when it was removed meanwhile.' }),
    version: Type.Integer(),
    status: Type.String({ description: '`failed` or `timed_out`.' }),
    error: Type.Object({ code: Type.String(), message: Type.String(), node_id: Type.Union([Type.String(), Type.Null()]) }),
    trigger: Type.Object({ type: Type.String(), node_id: Type.String() }),
    started_at: Type.String({ format: 'date-time' }),
    finished_at: Type.String({ format: 'date-time' }),
    millrace_hops: Type.Integer(),
  }),
  example: {
    config: { workflow_ids: ['019aa0f0-0000-7000-8000-000000000004'] },
    trigger: {
      execution_id: '019aa0f0-0000-7000-8000-000000000005',
      workflow_id: '019aa0f0-0000-7000-8000-000000000004',
      workflow_name: 'Take orders',
      version: 3,
      status: 'failed',
      error: { code: 'http.status', message: 'POST api.example.com answered 503', node_id: 'fetch' },
      trigger: { type: 'trigger.webhook', node_id: 'hook' },
      started_at: '2026-11-20T09:50:00.123Z',
      finished_at: '2026-11-20T09:50:02.456Z',
      millrace_hops: 1,
    },
  },
})
