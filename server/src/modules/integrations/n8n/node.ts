import type { Json } from '../../../lib/json.ts'
import { effect, NodeFailure } from '../../../engine/node.ts'
import { handOver } from './hand-over.ts'
import { NodeConfig, Outcome } from './schema.ts'

export const n8nTrigger = effect({
  type: 'n8n.trigger',
  title: 'Start an n8n workflow',
  description:
    'Hands work over to a workflow of n8n through its webhook. Fails when nothing listens there, when the workflow fails, and when nobody can tell.',
  icon: 'plug',
  config: NodeConfig,
  output: Outcome,
  example: {
    config: {
      integration_id: '01a1f956-2339-7218-a618-cafa895d0845',
      workflow_id: 'aBc123',
      event: 'order.created',
      data: '{{ trigger.body }}',
    },
    trigger: { body: { id: 7 } },
  },
  run: async ({ config, input }, { app, workspace_id, execution_id, attempt, idempotency_key, signal }) => {
    const { data = input, timeout_ms = 30_000, ...rest } = config
    const outcome = await handOver(
      { ...rest, data: data as Json, timeout_ms },
      { app, workspace_id, execution_id, attempt, key: idempotency_key, signal },
    )
    if (outcome.outcome === 'accepted' || outcome.outcome === 'succeeded') return { output: outcome as Json }
    const message = outcome.detail ?? `The workflow of n8n ended as ${outcome.outcome}`
    throw new NodeFailure({ code: `n8n.${outcome.outcome}`, message, details: outcome as { [field: string]: Json } })
  },
})
