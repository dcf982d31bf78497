import { defineTemplate, parameter, recipientsParameter, urlParameter } from './define.ts'

const tick = { node_id: 'tick', payload: { scheduled_at: '2026-11-20T10:00:00.000Z', fired_at: '2026-11-20T10:00:00.005Z' } }
const up = { output: { status: 200, headers: {}, body: 'ok', duration_ms: 12 } }
const down = { error: { code: 'outbound.timeout', message: 'No answer in time' } }

export const uptimeCheck = defineTemplate({
  id: 'uptime-check',
  title: 'Watch whether a site is up',
  description:
    'Asks a site again and again; when it does not answer well three times in a row, members of the workspace are told by mail, each time until it is up again.',
  category: 'schedules',
  icon: 'heartbeat',
  parameters: [
    urlParameter('site_url', 'What is asked'),
    {
      name: 'every_ms',
      title: 'How often, in milliseconds',
      schema: { type: 'integer', minimum: 1_000, maximum: 86_400_000 },
      default: 900_000,
    },
    {
      name: 'pause_ms',
      title: 'Pause before it is asked again, in milliseconds',
      schema: { type: 'integer', minimum: 0, maximum: 600_000 },
      default: 20_000,
    },
    {
      name: 'timeout_ms',
      title: 'How long an answer may take, in milliseconds',
      schema: { type: 'integer', minimum: 1, maximum: 60_000 },
      default: 10_000,
    },
    recipientsParameter('Who is told'),
  ],
  definition: {
    nodes: [
      { id: 'tick', type: 'trigger.schedule', config: { every_ms: parameter('every_ms') } },
      {
        id: 'tries',
        name: 'Three tries',
        type: 'flow.while',
        config: {
          condition: 'index < 3 && item.?up.orValue(false) == false',
          body: {
            nodes: [
              { id: 'is_again', type: 'flow.if', config: { condition: 'index > 0' } },
              { id: 'pause', type: 'flow.wait', config: { for_ms: parameter('pause_ms') } },
              {
                id: 'ask',
                type: 'http.request',
                config: { method: 'GET', url: parameter('site_url'), timeout_ms: parameter('timeout_ms'), max_bytes: 1_048_576 },
                on_error: 'continue',
              },
              {
                id: 'seen',
                type: 'data.set',
                config: {
                  values: {
                    up: '{{ steps.ask.output.?error.hasValue() == false }}',
                    why: '{{ steps.ask.output.?error.?message.orValue("") }}',
                  },
                },
              },
            ],
            edges: [
              { from: 'is_again', port: 'true', to: 'pause' },
              { from: 'is_again', port: 'false', to: 'ask' },
              { from: 'pause', to: 'ask' },
              { from: 'ask', to: 'seen' },
            ],
          },
        },
      },
      { id: 'is_up', type: 'flow.if', config: { condition: 'steps.tries.output.item.up' } },
      {
        id: 'tell',
        type: 'mail.send',
        config: {
          to: parameter('recipients'),
          subject: 'The site is down',
          text: 'It did not answer well three times in a row, at {{ trigger.scheduled_at }}: {{ steps.tries.output.item.why }}',
        },
        retry: { max_attempts: 5, delay_ms: 1_000 },
      },
    ],
    edges: [
      { from: 'tick', to: 'tries' },
      { from: 'tries', to: 'is_up' },
      { from: 'is_up', port: 'false', to: 'tell' },
    ],
  },
  tests: [
    {
      name: 'is content with the second try',
      trigger: tick,
      replies: { 'tries[0].ask': down, 'tries[1].pause': { output: null }, 'tries[1].ask': up },
      expect: {
        status: 'succeeded',
        ports: { is_up: 'true', tell: null },
        steps: { tries: { item: { up: true, why: '' }, iterations: 2 } },
      },
    },
    {
      name: 'tells of three failures',
      trigger: tick,
      replies: {
        'tries[0].ask': down,
        'tries[1].pause': { output: null },
        'tries[1].ask': down,
        'tries[2].pause': { output: null },
        'tries[2].ask': down,
        tell: { output: { message_id: null, accepted: ['ada@example.org'], rejected: [] } },
      },
      expect: { status: 'succeeded', ports: { is_up: 'false', tell: 'out' } },
    },
  ],
})
