import type { JsonObject } from '../../../../lib/json.ts'
import { defineTemplate, integrationParameter, parameter, pathParameter, urlParameter } from './define.ts'

const call = (body: JsonObject) => ({
  node_id: 'order',
  payload: { method: 'POST', path: 'orders', headers: {}, query: {}, body, raw_id: null },
})

export const webhookIntake = defineTemplate({
  id: 'webhook-intake',
  title: 'Take in orders by webhook',
  description:
    'Takes an order, refuses one that is incomplete with 422 and the reason, keeps one that comes twice from being stored twice, and stores it with a service of yours.',
  category: 'webhooks',
  icon: 'webhook',
  parameters: [
    pathParameter('orders'),
    urlParameter('store_url', 'Where orders are stored', 'Gets each order as JSON, with an `Idempotency-Key` of its own.'),
    integrationParameter('http', 'integration_id', 'Credential of the store', { optional: true }),
  ],
  definition: {
    nodes: [
      {
        id: 'order',
        type: 'trigger.webhook',
        config: { path: parameter('path'), respond: 'respond_node', dedupe: { expression: 'trigger.body.id' } },
      },
      {
        id: 'check',
        name: 'What is wrong with it',
        type: 'data.set',
        config: {
          values: {
            problems:
              '{{ [has(trigger.body.id) ? "" : "id is missing", has(trigger.body.email) && string(trigger.body.email).matches("^[^@ ]+@[^@ ]+$") ? "" : "email is no address", has(trigger.body.total) && type(trigger.body.total) == "number" && trigger.body.total > 0 ? "" : "total must be above 0"].filter(p, p != "") }}',
          },
        },
      },
      { id: 'complete', type: 'flow.if', config: { condition: 'size(steps.check.output.problems) == 0' } },
      {
        id: 'store',
        type: 'http.request',
        config: {
          method: 'POST',
          url: parameter('store_url'),
          integration_id: parameter('integration_id'),
          headers: { 'idempotency-key': 'order-{{ trigger.body.id }}' },
          body: '{{ trigger.body }}',
          timeout_ms: 10_000,
        },
        retry: { max_attempts: 4, delay_ms: 500 },
      },
      { id: 'taken', type: 'http.respond', config: { status: 201, body: { id: '{{ trigger.body.id }}', stored: true } } },
      { id: 'refused', type: 'http.respond', config: { status: 422, body: { problems: '{{ steps.check.output.problems }}' } } },
    ],
    edges: [
      { from: 'order', to: 'check' },
      { from: 'check', to: 'complete' },
      { from: 'complete', port: 'true', to: 'store' },
      { from: 'store', to: 'taken' },
      { from: 'complete', port: 'false', to: 'refused' },
    ],
  },
  tests: [
    {
      name: 'stores an order that is complete',
      trigger: call({ id: 'A-7', email: 'ada@example.org', total: 12.5 }),
      replies: { store: { output: { status: 201, headers: {}, body: null, duration_ms: 8 } } },
      expect: { status: 'succeeded', steps: { taken: { status: 201, body: { id: 'A-7', stored: true } } }, ports: { refused: null } },
    },
    {
      name: 'says all that is wrong with one that is not',
      trigger: call({ email: 'nobody', total: '12' }),
      expect: {
        status: 'succeeded',
        steps: { refused: { status: 422, body: { problems: ['id is missing', 'email is no address', 'total must be above 0'] } } },
        ports: { store: null },
      },
    },
  ],
})
