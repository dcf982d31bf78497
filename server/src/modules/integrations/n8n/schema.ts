import { Type, type Static } from 'typebox'

const uuid = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'

const fields = {
  workflow_id: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 100,
      pattern: '^[A-Za-z0-9_-]+$',
      description: 'As n8n names the workflow: its webhook is looked up.',
    }),
  ),
  path: Type.Optional(
    Type.String({ minLength: 1, maxLength: 500, description: 'Of the webhook, when there is nothing to look up: `orders/new`.' }),
  ),
  event: Type.String({ minLength: 1, maxLength: 200, description: 'What has happened, in a word: `order.created`.' }),
  callback_url: Type.Optional(
    Type.String({ maxLength: 2_000, pattern: '^https?://', description: 'Passed on: where the workflow may report to.' }),
  ),
  test: Type.Optional(Type.Boolean({ default: false, description: 'Calls `/webhook-test`, which listens for two minutes in the editor.' })),
}

export const TriggerWorkflow = Type.Object(
  {
    integration_id: Type.String({ format: 'uuid', description: 'An integration of the type `n8n`.' }),
    ...fields,
    data: Type.Optional(Type.Unknown({ description: 'Any JSON.' })),
  },
  { additionalProperties: false, title: 'TriggerWorkflow' },
)
export type TriggerWorkflow = Static<typeof TriggerWorkflow>

export const NodeConfig = Type.Object(
  {
    integration_id: Type.String({ format: 'literal', pattern: uuid, description: 'An integration of the type `n8n`.' }),
    ...fields,
    data: Type.Optional(Type.Unknown({ description: 'Any JSON; the input of the step when it is not given.' })),
    timeout_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 300_000, default: 30_000, description: 'For the answer of the webhook.' }),
    ),
  },
  { additionalProperties: false },
)
export type NodeConfig = Static<typeof NodeConfig>

const words = ['accepted', 'succeeded', 'failed', 'not_active', 'refused', 'unknown'] as const

/**
 * What came of a hand-over: `accepted`, it runs; `succeeded` or `failed`, it has run; `not_active`, nothing listens at the webhook; `refused`, n8n
 * does not let us in; `unknown`, no answer came and n8n does not tell.
 */
export const Outcome = Type.Object({
  outcome: Type.Unsafe<(typeof words)[number]>({ type: 'string', enum: [...words] }),
  status: Type.Union([Type.Integer(), Type.Null()], { description: 'Of the answer of the webhook; null when there was none.' }),
  n8n_execution_id: Type.Union([Type.String(), Type.Null()]),
  body: Type.Unknown({ description: 'What the webhook answered: JSON parsed, text as text.' }),
  detail: Type.Union([Type.String(), Type.Null()], { description: 'What can be done about it.' }),
})
export type Outcome = Static<typeof Outcome>

export const Handover = Type.Object(
  {
    execution_id: Type.String({ format: 'uuid' }),
    status: Type.String({
      description: '`queued`, `running`, `waiting`, `succeeded` when there is an outcome, `failed` when n8n could not be reached.',
    }),
    outcome: Type.Union([Outcome, Type.Null()]),
    error: Type.Union([Type.Object({ code: Type.String(), message: Type.String() }), Type.Null()]),
    started_at: Type.String({ format: 'date-time' }),
    finished_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
  },
  { title: 'Handover' },
)
export type Handover = Static<typeof Handover>
