import { defineTemplate, parameter, smtpParameter } from './define.ts'

export const userOnboarding = defineTemplate({
  id: 'user-onboarding',
  title: 'Welcome everybody who registers',
  description:
    'Mails a welcome to each new account, and some tips after three days. It belongs in the workspace that `MILLRACE_INSTALLATION_WORKSPACE` names, whose workflows hear of new accounts.',
  category: 'people',
  icon: 'user-plus',
  parameters: [
    smtpParameter,
    { name: 'product', title: 'Name of the product', schema: { type: 'string', maxLength: 100 }, default: 'our product' },
    {
      name: 'wait_ms',
      title: 'When the tips come, in milliseconds after the welcome',
      schema: { type: 'integer', minimum: 0, maximum: 31_622_400_000 },
      default: 259_200_000,
    },
  ],
  definition: {
    nodes: [
      { id: 'registered', type: 'trigger.event', config: { name: 'users.registered' } },
      { id: 'settings', type: 'data.set', config: { values: { product: parameter('product') } } },
      {
        id: 'welcome',
        type: 'mail.send',
        config: {
          integration_id: parameter('smtp'),
          to: '{{ trigger.data.email }}',
          subject: 'Welcome to {{ steps.settings.output.product }}, {{ trigger.data.username }}',
          text: 'Dear {{ trigger.data.username }},\n\nit is good to have you here. Answer this mail if anything is not as you expect it.',
        },
        retry: { max_attempts: 10, delay_ms: 5_000, max_delay_ms: 3_600_000 },
      },
      { id: 'pause', type: 'flow.wait', config: { for_ms: parameter('wait_ms') } },
      {
        id: 'tips',
        type: 'mail.send',
        config: {
          integration_id: parameter('smtp'),
          to: '{{ trigger.data.email }}',
          subject: 'Three things to try in {{ steps.settings.output.product }}',
          text: 'Dear {{ trigger.data.username }},\n\n1. Begin a workflow from a template.\n\n2. Connect a service that you use.\n\n3. Invite somebody to your workspace.',
        },
        retry: { max_attempts: 10, delay_ms: 5_000, max_delay_ms: 3_600_000 },
      },
    ],
    edges: [
      { from: 'registered', to: 'settings' },
      { from: 'settings', to: 'welcome' },
      { from: 'welcome', to: 'pause' },
      { from: 'pause', to: 'tips' },
    ],
  },
  tests: [
    {
      name: 'sends both mails',
      trigger: {
        node_id: 'registered',
        payload: {
          ...{ id: '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7a', name: 'users.registered', created_at: '2026-11-20T09:50:00.123Z' },
          actor: { type: 'system', id: null },
          data: { user_id: '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7b', email: 'ada@example.org', username: 'ada', role: 'user', plan: 'free' },
          millrace_hops: 0,
        },
      },
      replies: {
        welcome: { output: { message_id: '<1@example.org>', accepted: ['ada@example.org'], rejected: [] } },
        pause: { output: null },
        tips: { output: { message_id: '<2@example.org>', accepted: ['ada@example.org'], rejected: [] } },
      },
      expect: { status: 'succeeded', ports: { welcome: 'out', tips: 'out' } },
    },
  ],
})
