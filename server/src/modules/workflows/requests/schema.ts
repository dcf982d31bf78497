import { type Static, Type } from 'typebox'
import { ExecutionSummary } from '../../../engine/history.ts'
import { Id } from '../schema.ts'

const summary = {
  id: Type.String({ format: 'uuid', description: 'That of the execution which it started, and `raw_id` in its trigger.' }),
  workflow_id: Id,
  node_id: Type.String({ description: 'The webhook that it came to.' }),
  version: Type.Integer(),
  status: ExecutionSummary.properties.status,
  received_at: Type.String({ format: 'date-time' }),
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
    body: Type.Unknown(),
  },
  { title: 'WebhookRequest' },
)
export type WebhookRequest = Static<typeof WebhookRequest>
