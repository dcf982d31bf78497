import { type Static, Type } from 'typebox'
import { ExecutionSummary } from '../../../engine/history.ts'
import { Id } from '../schema.ts'

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

const summary = {
  id: Type.String({
    format: 'uuid',
    description: 'Of one that was taken that of the execution which it started, and `raw_id` in its trigger.',
  }),
  workflow_id: Id,
  node_id: Type.String({ description: 'The webhook that it came to.' }),
  version: Type.Integer(),
  outcome: Type.Union([Type.Literal('accepted'), Type.Literal('refused')]),
  reason: Nullable(
    Type.String({ description: 'Why it was refused: `unauthorized`, `paused`, `duplicate`, `unreadable`, `loop` or `plan_limit`.' }),
  ),
  status: Type.Union([ExecutionSummary.properties.status, Type.Null()], { description: 'Of the execution; null where there is none.' }),
  received_at: Type.String({ format: 'date-time' }),
  replayed_as: Nullable(Type.String({ format: 'uuid', description: 'The execution that a member has started with one that was refused.' })),
}

export const RequestSummary = Type.Object(summary, { title: 'WebhookRequestSummary' })
export type RequestSummary = Static<typeof RequestSummary>

export const WebhookRequest = Type.Object(
  {
    ...summary,
    replay_of: Type.Union([Id, Type.Null()], { description: 'The request that this one repeats.' }),
    method: Type.String(),
    path: Type.String(),
    headers: Type.Record(Type.String(), Type.Unknown()),
    query: Type.Record(Type.String(), Type.Unknown()),
    body: Type.Unknown({ description: 'Null also where it could not be read.' }),
    raw_body: Nullable(
      Type.String({
        description:
          'The bytes as they came, in base64: of one that was refused (64 KiB of it at most), and with `keep_requests: all` of one that was taken, unless `body` as JSON is the same.',
      }),
    ),
  },
  { title: 'WebhookRequest' },
)
export type WebhookRequest = Static<typeof WebhookRequest>
