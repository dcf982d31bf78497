import { defineTemplate, parameter, pathParameter, urlParameter } from './define.ts'

const ask = (id: string, name: string) => ({
  id,
  name,
  type: 'http.request',
  config: { method: 'GET', url: parameter(`${id}_url`), query: { id: '{{ trigger.body.id }}' }, timeout_ms: 10_000 },
  retry: { max_attempts: 2, delay_ms: 500 },
  on_error: 'continue',
})

const answerOf = (id: string): string => `{{ steps.${id}.output.?body.orValue(null) }}`

export const fanOutFanIn = defineTemplate({
  id: 'fan-out-fan-in',
  title: 'Ask three services at once',
  description:
    'Asks three services at the same time, waits for all of them, and answers with what they said. A service that fails leaves null.',
  category: 'building_blocks',
  icon: 'arrows-split',
  parameters: [
    pathParameter('profile'),
    urlParameter('orders_url', 'Where the orders are'),
    urlParameter('tickets_url', 'Where the tickets are'),
    urlParameter('invoices_url', 'Where the invoices are'),
  ],
  definition: {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: parameter('path'), respond: 'last_node' } },
      ask('orders', 'Orders'),
      ask('tickets', 'Tickets'),
      ask('invoices', 'Invoices'),
      { id: 'all', type: 'flow.merge', config: { mode: 'all' } },
      {
        id: 'profile',
        type: 'data.set',
        config: {
          values: {
            id: '{{ trigger.body.id }}',
            orders: answerOf('orders'),
            tickets: answerOf('tickets'),
            invoices: answerOf('invoices'),
          },
        },
      },
    ],
    edges: [
      ...['orders', 'tickets', 'invoices'].flatMap((id) => [
        { from: 'hook', to: id },
        { from: id, to: 'all' },
      ]),
      { from: 'all', to: 'profile' },
    ],
  },
  tests: [
    {
      name: 'leaves null where a service fails',
      trigger: { node_id: 'hook', payload: { method: 'POST', path: 'profile', headers: {}, query: {}, body: { id: 7 }, raw_id: null } },
      replies: {
        orders: { output: { status: 200, headers: {}, body: [1], duration_ms: 3 } },
        tickets: { error: { code: 'http.status', message: 'answered 404' } },
        invoices: { output: { status: 200, headers: {}, body: [], duration_ms: 3 } },
      },
      expect: { status: 'succeeded', output: { id: 7, orders: [1], tickets: null, invoices: [] } },
    },
  ],
})
