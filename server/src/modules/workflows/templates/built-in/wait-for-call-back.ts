import { defineTemplate, integrationParameter, parameter, pathParameter, urlParameter } from './define.ts'

const hook = { node_id: 'hook', payload: { method: 'POST', path: 'jobs', headers: {}, query: {}, body: { n: 1 }, raw_id: null } }
const fine = { output: { status: 202, headers: {}, body: null, duration_ms: 3 } }
const called = { method: 'POST', path: '', headers: {}, query: {}, body: { result: 42 }, raw_id: null }

export const waitForCallBack = defineTemplate({
  id: 'wait-for-call-back',
  title: 'Give a job to a service, and wait until it calls back',
  description:
    'Hands a job to a service together with an address of this execution alone, waits for the call to it as long as it takes, over restarts too, and passes the result on. A job that is not done in time ends as failed.',
  category: 'reliability',
  icon: 'hourglass',
  parameters: [
    pathParameter('jobs'),
    urlParameter('job_url', 'Which service does the job', 'Gets `{ "job", "callback_url" }` and calls back with the result.'),
    integrationParameter('http', 'integration_id', 'Credential of that service', { optional: true }),
    {
      name: 'timeout_ms',
      title: 'How long it may take, in milliseconds',
      schema: { type: 'integer', minimum: 1_000, maximum: 31_622_400_000 },
      default: 86_400_000,
    },
    urlParameter('result_url', 'Who gets the result'),
  ],
  definition: {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: parameter('path') } },
      {
        id: 'ask',
        type: 'http.request',
        config: {
          method: 'POST',
          url: parameter('job_url'),
          integration_id: parameter('integration_id'),
          body: { job: '{{ trigger.body }}', callback_url: '{{ execution.resume_url }}' },
        },
        retry: { max_attempts: 5, delay_ms: 1_000 },
      },
      { id: 'wait', type: 'flow.wait', config: { webhook: true, timeout_ms: parameter('timeout_ms') }, on_error: 'error' },
      {
        id: 'pass_on',
        type: 'http.request',
        config: {
          method: 'POST',
          url: parameter('result_url'),
          body: { job: '{{ trigger.body }}', result: '{{ steps.wait.output.body }}' },
        },
        retry: { max_attempts: 10, delay_ms: 1_000, max_delay_ms: 600_000 },
      },
      { id: 'late', type: 'flow.stop', config: { status: 'failed', message: 'The service did not call back in time' } },
    ],
    edges: [
      { from: 'hook', to: 'ask' },
      { from: 'ask', to: 'wait' },
      { from: 'wait', to: 'pass_on' },
      { from: 'wait', port: 'error', to: 'late' },
    ],
  },
  tests: [
    {
      name: 'passes the result on',
      trigger: hook,
      replies: { ask: fine, wait: { output: called }, pass_on: fine },
      expect: { status: 'succeeded', ports: { pass_on: 'out', late: null } },
    },
    {
      name: 'fails when nobody calls',
      trigger: hook,
      replies: { ask: fine, wait: { error: { code: 'wait.timed_out', message: 'Nobody called in time' } } },
      expect: { status: 'failed', error: { code: 'flow.stopped' }, ports: { pass_on: null } },
    },
  ],
})
