import { defineTemplate, integrationParameter, parameter, recipientsParameter, urlParameter } from './define.ts'

export const scheduledReport = defineTemplate({
  id: 'scheduled-report',
  title: 'Mail a report every Monday',
  description:
    'Fetches a list of orders `[{ "customer", "total" }]`, adds them up by customer, and mails the sum and the five largest to members of the workspace.',
  category: 'schedules',
  icon: 'report',
  parameters: [
    {
      name: 'cron',
      title: 'When',
      description: 'Five fields, minutes first.',
      schema: { type: 'string', maxLength: 200 },
      default: '0 8 * * MON',
    },
    { name: 'timezone', title: 'By whose clocks', schema: { type: 'string', maxLength: 64 }, default: 'UTC' },
    urlParameter('report_url', 'Where the orders are'),
    integrationParameter('http', 'integration_id', 'Credential of that service', { optional: true }),
    recipientsParameter('Who gets it'),
  ],
  definition: {
    nodes: [
      {
        id: 'monday',
        type: 'trigger.schedule',
        config: { cron: parameter('cron'), timezone: parameter('timezone'), missed: 'once' },
      },
      {
        id: 'fetch',
        type: 'http.request',
        config: {
          method: 'GET',
          url: parameter('report_url'),
          integration_id: parameter('integration_id'),
          query: { until: '{{ trigger.scheduled_at }}' },
        },
        retry: { max_attempts: 5, delay_ms: 2_000, max_delay_ms: 300_000 },
      },
      {
        id: 'by_customer',
        type: 'data.aggregate',
        config: {
          items: 'steps.fetch.output.body',
          group_by: { customer: 'item.customer' },
          fields: [
            { name: 'orders', op: 'count' },
            { name: 'total', op: 'sum', of: 'item.total' },
          ],
        },
      },
      {
        id: 'largest',
        type: 'data.sort',
        config: { items: 'steps.by_customer.output', by: [{ expression: 'item.total', order: 'desc' }, { expression: 'item.customer' }] },
      },
      {
        id: 'report',
        name: 'Write it',
        type: 'data.set',
        config: {
          values: {
            orders: '{{ size(steps.fetch.output.body) }}',
            total: '{{ round(steps.largest.output.map(c, c.total).sum(), 2) }}',
            lines: '{{ steps.largest.output.slice(0, 5).map(c, string(c.customer) + ": " + string(c.total)).join("\\n") }}',
          },
        },
      },
      {
        id: 'mail',
        type: 'mail.send',
        config: {
          to: parameter('recipients'),
          subject: 'Orders until {{ format(trigger.scheduled_at, "d MMMM yyyy") }}',
          text: '{{ steps.report.output.orders }} orders, {{ steps.report.output.total }} in all.\n\n{{ steps.report.output.lines }}',
        },
        retry: { max_attempts: 3, delay_ms: 1_000 },
      },
    ],
    edges: [
      { from: 'monday', to: 'fetch' },
      { from: 'fetch', to: 'by_customer' },
      { from: 'by_customer', to: 'largest' },
      { from: 'largest', to: 'report' },
      { from: 'report', to: 'mail' },
    ],
  },
  tests: [
    {
      name: 'adds up by customer, the largest first',
      trigger: {
        node_id: 'monday',
        payload: { scheduled_at: '2026-11-23T08:00:00.000Z', fired_at: '2026-11-23T08:00:00.010Z' },
      },
      replies: {
        fetch: {
          output: {
            status: 200,
            headers: {},
            duration_ms: 9,
            body: [
              { customer: 'Ada', total: 10 },
              { customer: 'Ben', total: 40 },
              { customer: 'Ada', total: 2.5 },
            ],
          },
        },
        mail: { output: { message_id: null, accepted: ['ada@example.org'], rejected: [] } },
      },
      expect: { status: 'succeeded', steps: { report: { orders: 3, total: 52.5, lines: 'Ben: 40\nAda: 12.5' } } },
    },
    {
      name: 'sends a report of nothing as well',
      trigger: {
        node_id: 'monday',
        payload: { scheduled_at: '2026-11-23T08:00:00.000Z', fired_at: '2026-11-23T08:00:00.010Z' },
      },
      replies: {
        fetch: { output: { status: 200, headers: {}, duration_ms: 9, body: [] } },
        mail: { output: { message_id: null, accepted: ['ada@example.org'], rejected: [] } },
      },
      expect: { status: 'succeeded', steps: { report: { orders: 0, total: 0, lines: '' } } },
    },
  ],
})
