import { Type } from 'typebox'
import { defineJob } from '../../../engine/job.ts'
import type { Json } from '../../../lib/json.ts'
import { handOver } from './hand-over.ts'

const Input = Type.Object({
  integration_id: Type.String(),
  workflow_id: Type.Optional(Type.String()),
  path: Type.Optional(Type.String()),
  event: Type.String(),
  data: Type.Unknown(),
  callback_url: Type.Optional(Type.String()),
  test: Type.Optional(Type.Boolean()),
})

/** Five attempts within about a quarter of an hour, of those that n8n has surely not taken. */
export const triggerN8n = defineJob({
  name: 'integrations.trigger_n8n',
  doc: 'Starts a workflow of n8n through its webhook and records what came of it.',
  input: Input,
  retry: { max_attempts: 5, delay_ms: 1_000, max_delay_ms: 600_000 },
  timeout_ms: 60_000,
  run: async (ctx, { input, execution_id, attempt, signal }) =>
    (await handOver(
      { ...input, data: input.data as Json, timeout_ms: 30_000 },
      { app: ctx, workspace_id: ctx.workspace_id ?? '', execution_id, attempt, key: execution_id, signal },
    )) as Json,
})
