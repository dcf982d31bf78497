import { defineTemplate, parameter, recipientsParameter } from './define.ts'

export const errorNotification = defineTemplate({
  id: 'error-notification',
  title: 'Be told when a workflow fails',
  description: 'Mails members of the workspace when an execution of any other workflow fails or takes too long: which, where, and why.',
  category: 'reliability',
  icon: 'alert-triangle',
  parameters: [recipientsParameter('Who is told')],
  definition: {
    nodes: [
      { id: 'failure', type: 'trigger.failure', config: {} },
      {
        id: 'tell',
        type: 'mail.send',
        config: {
          to: parameter('recipients'),
          subject:
            '{{ trigger.workflow_name == null ? "A workflow" : trigger.workflow_name }} has {{ trigger.status == "timed_out" ? "taken too long" : "failed" }}',
          text: 'At the step "{{ trigger.error.node_id }}": {{ trigger.error.message }}\n\nCode {{ trigger.error.code }}, version {{ trigger.version }}, started {{ trigger.started_at }}, ended {{ trigger.finished_at }}.\n\nExecution {{ trigger.execution_id }}',
        },
        retry: { max_attempts: 5, delay_ms: 1_000 },
      },
    ],
    edges: [{ from: 'failure', to: 'tell' }],
  },
  tests: [
    {
      name: 'tells of a failure',
      trigger: {
        node_id: 'failure',
        payload: {
          ...{ execution_id: '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7a', workflow_id: '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7b', version: 1 },
          ...{ workflow_name: null, status: 'failed', error: { code: 'http.status', message: 'answered 503', node_id: 'fetch' } },
          trigger: { type: 'trigger.webhook', node_id: 'hook' },
          ...{ started_at: '2026-11-20T09:50:00.000Z', finished_at: '2026-11-20T09:50:02.000Z', millrace_hops: 1 },
        },
      },
      replies: { tell: { output: { message_id: null, accepted: ['ada@example.org'], rejected: [] } } },
      expect: { status: 'succeeded', ports: { tell: 'out' } },
    },
  ],
})
