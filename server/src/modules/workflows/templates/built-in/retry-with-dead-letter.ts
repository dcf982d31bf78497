import { defineTemplate, integrationParameter, parameter, pathParameter, urlParameter } from './define.ts'

const hook = { node_id: 'hook', payload: { method: 'POST', path: 'deliver', headers: {}, query: {}, body: { id: 7 }, raw_id: null } }

export const retryWithDeadLetter = defineTemplate({
  id: 'retry-with-dead-letter',
  title: 'Deliver, try again, and keep what could not be delivered',
  description:
    'Hands each call on to a service. While that has trouble it is tried again, with growing pauses and as `Retry-After` asks; what is refused for good, or fails to the end, goes to a second address with the reason, and the execution ends as failed.',
  category: 'reliability',
  icon: 'mail-x',
  parameters: [
    pathParameter('deliver'),
    urlParameter('target_url', 'Where it is delivered'),
    integrationParameter('http', 'integration_id', 'Credential of the service', { optional: true }),
    urlParameter('dead_letter_url', 'Where it goes when that fails', 'A queue or a table of yours, that people look at.'),
    {
      name: 'max_attempts',
      title: 'Tries in all',
      schema: { type: 'integer', minimum: 1, maximum: 20 },
      default: 6,
    },
    {
      name: 'delay_ms',
      title: 'Pause before the second try, in milliseconds',
      description: 'It doubles each time, up to ten minutes.',
      schema: { type: 'integer', minimum: 1, maximum: 600_000 },
      default: 2_000,
    },
  ],
  definition: {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: parameter('path'), respond: 'immediate' } },
      {
        id: 'deliver',
        type: 'http.request',
        config: {
          method: 'POST',
          url: parameter('target_url'),
          integration_id: parameter('integration_id'),
          body: '{{ trigger.body }}',
          timeout_ms: 15_000,
        },
        retry: {
          max_attempts: parameter('max_attempts'),
          backoff: 'exponential',
          delay_ms: parameter('delay_ms'),
          max_delay_ms: 600_000,
        },
        on_error: 'error',
      },
      {
        id: 'bury',
        name: 'Keep it for people',
        type: 'http.request',
        config: {
          method: 'POST',
          url: parameter('dead_letter_url'),
          body: {
            execution_id: '{{ execution.id }}',
            came_at: '{{ execution.started_at }}',
            body: '{{ trigger.body }}',
            error: '{{ steps.deliver.output.error }}',
          },
        },
        retry: { max_attempts: 20, delay_ms: 5_000, max_delay_ms: 3_600_000 },
      },
      {
        id: 'failed',
        type: 'flow.stop',
        config: { status: 'failed', message: 'Not delivered: {{ steps.deliver.output.error.message }}' },
      },
    ],
    edges: [
      { from: 'hook', to: 'deliver' },
      { from: 'deliver', port: 'error', to: 'bury' },
      { from: 'bury', to: 'failed' },
    ],
  },
  tests: [
    {
      name: 'delivers',
      trigger: hook,
      replies: { deliver: { output: { status: 200, headers: {}, body: null, duration_ms: 3 } } },
      expect: { status: 'succeeded', ports: { bury: null } },
    },
    {
      name: 'keeps what is refused for good',
      trigger: hook,
      replies: {
        deliver: { error: { code: 'http.status', message: 'answered 400' } },
        bury: { output: { status: 200, headers: {}, body: null, duration_ms: 3 } },
      },
      expect: { status: 'failed', error: { code: 'flow.stopped', node_id: 'failed' }, ports: { bury: 'out' } },
    },
  ],
})
