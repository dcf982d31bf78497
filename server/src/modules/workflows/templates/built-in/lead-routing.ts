import type { JsonObject } from '../../../../lib/json.ts'
import { defineTemplate, integrationParameter, parameter, pathParameter, urlParameter } from './define.ts'

const routes = ['sales', 'partners', 'newsletter'] as const

const send = (route: (typeof routes)[number]) => ({
  id: route,
  type: 'http.request',
  config: {
    method: 'POST',
    url: parameter(`${route}_url`),
    integration_id: parameter('integration_id'),
    body: { lead: '{{ trigger.body }}', route },
  },
  retry: { max_attempts: 5, delay_ms: 500 },
})

const lead = (body: JsonObject) => ({
  node_id: 'lead',
  payload: { method: 'POST', path: 'leads', headers: {}, query: {}, body, raw_id: null },
})
const taken = { output: { status: 200, headers: {}, body: null, duration_ms: 3 } }

export const leadRouting = defineTemplate({
  id: 'lead-routing',
  title: 'Send each lead to the right people',
  description:
    'Takes `{ "email", "company", "employees", "kind" }` and sends it to sales, to the partner team or to the newsletter, by rules in one place, and answers where it went.',
  category: 'webhooks',
  icon: 'arrow-ramp-right',
  parameters: [
    pathParameter('leads'),
    {
      name: 'large',
      title: 'From how many employees on sales calls',
      schema: { type: 'integer', minimum: 1, maximum: 10_000_000 },
      default: 50,
    },
    urlParameter('sales_url', 'Where sales takes leads'),
    urlParameter('partners_url', 'Where the partner team takes them'),
    urlParameter('newsletter_url', 'Where the newsletter takes addresses'),
    integrationParameter('http', 'integration_id', 'Credential of these services', { optional: true }),
  ],
  definition: {
    nodes: [
      { id: 'lead', type: 'trigger.webhook', config: { path: parameter('path'), respond: 'respond_node' } },
      { id: 'settings', type: 'data.set', config: { values: { large: parameter('large') } } },
      {
        id: 'route',
        type: 'flow.switch',
        config: {
          cases: [
            { port: 'partners', when: 'trigger.body.?kind.orValue("") == "partner"' },
            {
              port: 'sales',
              when: 'type(trigger.body.?employees.orValue(0)) == "number" && trigger.body.?employees.orValue(0) >= steps.settings.output.large',
            },
          ],
        },
      },
      ...routes.map(send),
      {
        id: 'answer',
        type: 'http.respond',
        config: {
          body: {
            route: '{{ steps.?sales.?output.hasValue() ? "sales" : steps.?partners.?output.hasValue() ? "partners" : "newsletter" }}',
          },
        },
      },
    ],
    edges: [
      { from: 'lead', to: 'settings' },
      { from: 'settings', to: 'route' },
      { from: 'route', port: 'sales', to: 'sales' },
      { from: 'route', port: 'partners', to: 'partners' },
      { from: 'route', port: 'otherwise', to: 'newsletter' },
      ...routes.map((route) => ({ from: route, to: 'answer' })),
    ],
  },
  tests: [
    {
      name: 'a very large company goes to sales',
      trigger: lead({ email: 'ada@example.org', employees: 1e15 }),
      replies: { sales: taken },
      expect: { status: 'succeeded', steps: { answer: { status: 200, body: { route: 'sales' } } } },
    },
    {
      name: 'a partner goes to the partner team, however large',
      trigger: lead({ email: 'ada@example.org', employees: 1e15, kind: 'partner' }),
      replies: { partners: taken },
      expect: { status: 'succeeded', steps: { answer: { status: 200, body: { route: 'partners' } } } },
    },
    {
      name: 'somebody alone gets the newsletter',
      trigger: lead({ email: 'ada@example.org' }),
      replies: { newsletter: taken },
      expect: { status: 'succeeded', steps: { answer: { status: 200, body: { route: 'newsletter' } } } },
    },
  ],
})
