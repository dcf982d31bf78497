import { defineTemplate, integrationParameter, parameter, pathParameter } from './define.ts'

const hook = { node_id: 'hook', payload: { method: 'POST', path: 'to-n8n', headers: {}, query: {}, body: { id: 7 }, raw_id: null } }

export const n8nHandOff = defineTemplate({
  id: 'n8n-hand-off',
  title: 'Hand work over to n8n',
  description:
    'Starts a workflow of n8n for each call, signed and under one key, and answers with what came of it: 200 when n8n has taken it, 502 with the reason when it has not.',
  category: 'services',
  icon: 'plug',
  parameters: [
    pathParameter('to-n8n'),
    integrationParameter('n8n', 'n8n', 'The n8n instance'),
    {
      name: 'n8n_path',
      title: 'Path of its webhook',
      description: 'As the webhook node of n8n shows it.',
      schema: { type: 'string', maxLength: 500 },
    },
    { name: 'event', title: 'What n8n is told that it is', schema: { type: 'string', maxLength: 200 }, default: 'millrace.handed_over' },
  ],
  definition: {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: parameter('path'), respond: 'respond_node' } },
      {
        id: 'n8n',
        type: 'n8n.trigger',
        config: { integration_id: parameter('n8n'), path: parameter('n8n_path'), event: parameter('event'), data: '{{ trigger.body }}' },
        retry: { max_attempts: 4, delay_ms: 500 },
        on_error: 'error',
      },
      {
        id: 'taken',
        type: 'http.respond',
        config: { body: { outcome: '{{ steps.n8n.output.outcome }}', answer: '{{ steps.n8n.output.?body.orValue(null) }}' } },
      },
      {
        id: 'not_taken',
        type: 'http.respond',
        config: { status: 502, body: { code: '{{ steps.n8n.output.error.code }}', message: '{{ steps.n8n.output.error.message }}' } },
      },
    ],
    edges: [
      { from: 'hook', to: 'n8n' },
      { from: 'n8n', to: 'taken' },
      { from: 'n8n', port: 'error', to: 'not_taken' },
    ],
  },
  tests: [
    {
      name: 'answers with what n8n said',
      trigger: hook,
      replies: { n8n: { output: { outcome: 'succeeded', status: 200, n8n_execution_id: null, body: { got: 7 }, detail: null } } },
      expect: { status: 'succeeded', ports: { taken: 'out', not_taken: null } },
    },
    {
      name: 'says why n8n has not taken it',
      trigger: hook,
      replies: { n8n: { error: { code: 'n8n.not_active', message: 'Nothing listens at this webhook' } } },
      expect: {
        status: 'succeeded',
        steps: { not_taken: { status: 502, body: { code: 'n8n.not_active', message: 'Nothing listens at this webhook' } } },
      },
    },
  ],
})
