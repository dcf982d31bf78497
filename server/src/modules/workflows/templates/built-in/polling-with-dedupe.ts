import { defineTemplate, integrationParameter, parameter, urlParameter } from './define.ts'

const at = (minute: string, id: string) => ({ id, created_at: `${minute}:00.000Z` })

export const pollingWithDedupe = defineTemplate({
  id: 'polling-with-dedupe',
  title: 'Look for new entries, and hand each on once',
  description:
    'Asks a service for entries `[{ "id", "created_at" }]` again and again and hands each one on, once: every look takes those of its own stretch of time, the next one begins where it ended, and looks that were missed are made up for. The target gets the id as `Idempotency-Key` besides.',
  category: 'schedules',
  icon: 'radar',
  parameters: [
    {
      name: 'every_ms',
      title: 'How often, in milliseconds',
      schema: { type: 'integer', minimum: 1_000, maximum: 86_400_000 },
      default: 300_000,
    },
    {
      name: 'late_ms',
      title: 'How late an entry may appear, in milliseconds',
      description: 'Each look takes entries that are so old at least.',
      schema: { type: 'integer', minimum: 0, maximum: 86_400_000 },
      default: 60_000,
    },
    urlParameter('list_url', 'Where the entries are', 'Asked with `since` and `until`; it may answer with more.'),
    integrationParameter('http', 'integration_id', 'Credential of that service', { optional: true }),
    urlParameter('target_url', 'Where they go'),
  ],
  definition: {
    nodes: [
      { id: 'tick', type: 'trigger.schedule', config: { every_ms: parameter('every_ms'), missed: 'all' } },
      { id: 'settings', type: 'data.set', config: { values: { every_ms: parameter('every_ms'), late_ms: parameter('late_ms') } } },
      {
        id: 'window',
        name: 'The stretch of time of this look',
        type: 'data.set',
        config: {
          values: {
            since: '{{ timestamp(millis(trigger.scheduled_at) - steps.settings.output.every_ms - steps.settings.output.late_ms) }}',
            until: '{{ timestamp(millis(trigger.scheduled_at) - steps.settings.output.late_ms) }}',
          },
        },
      },
      {
        id: 'list',
        type: 'http.request',
        config: {
          method: 'GET',
          url: parameter('list_url'),
          integration_id: parameter('integration_id'),
          query: { since: '{{ steps.window.output.since }}', until: '{{ steps.window.output.until }}' },
        },
        retry: { max_attempts: 5, delay_ms: 1_000, max_delay_ms: 60_000 },
      },
      {
        id: 'new',
        type: 'data.filter',
        config: {
          items: 'steps.list.output.body',
          condition:
            'millis(item.created_at) >= millis(steps.window.output.since) && millis(item.created_at) < millis(steps.window.output.until)',
        },
      },
      { id: 'once', type: 'data.dedupe', config: { items: 'steps.new.output', by: 'item.id' } },
      {
        id: 'each',
        type: 'flow.loop',
        config: {
          items: '{{ steps.once.output }}',
          parallel: 4,
          body: {
            nodes: [
              {
                id: 'hand_on',
                type: 'http.request',
                config: {
                  method: 'POST',
                  url: parameter('target_url'),
                  headers: { 'idempotency-key': 'entry-{{ item.id }}' },
                  body: '{{ item }}',
                },
                retry: { max_attempts: 5, delay_ms: 1_000 },
              },
            ],
            edges: [],
          },
        },
      },
      { id: 'result', type: 'data.set', config: { values: { handed_on: '{{ steps.once.output.map(e, e.id) }}' } } },
    ],
    edges: [
      { from: 'tick', to: 'settings' },
      { from: 'settings', to: 'window' },
      { from: 'window', to: 'list' },
      { from: 'list', to: 'new' },
      { from: 'new', to: 'once' },
      { from: 'once', to: 'each' },
      { from: 'each', to: 'result' },
    ],
  },
  tests: [
    {
      name: 'takes nothing from before and nothing that is too new',
      trigger: { node_id: 'tick', payload: { scheduled_at: '2026-11-20T10:00:00.000Z', fired_at: '2026-11-20T10:00:00.005Z' } },
      replies: {
        list: {
          output: {
            status: 200,
            headers: {},
            duration_ms: 5,
            body: [at('2020-01-01T00:00', 'long before'), at('2026-11-20T10:00', 'too new')],
          },
        },
      },
      expect: { status: 'succeeded', output: { handed_on: [] } },
    },
  ],
})
