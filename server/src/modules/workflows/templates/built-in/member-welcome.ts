import { defineTemplate, parameter } from './define.ts'

export const memberWelcome = defineTemplate({
  id: 'member-welcome',
  title: 'Welcome new members of the workspace',
  description: 'Mails everybody who joins the workspace what they should know, through the product’s own mail server.',
  category: 'people',
  icon: 'users',
  parameters: [
    {
      name: 'text',
      title: 'What they should know',
      description: 'An empty line begins a paragraph.',
      schema: { type: 'string', maxLength: 10_000 },
      default: 'It is good to have you here.\n\nAsk whoever invited you when something is not as you expect it.',
    },
  ],
  definition: {
    nodes: [
      { id: 'joined', type: 'trigger.event', config: { name: 'workspaces.member.added' } },
      {
        id: 'welcome',
        type: 'mail.send',
        config: { to: '{{ trigger.data.user_id }}', subject: 'Welcome to the team', text: parameter('text') },
        retry: { max_attempts: 5, delay_ms: 1_000 },
      },
    ],
    edges: [{ from: 'joined', to: 'welcome' }],
  },
  tests: [
    {
      name: 'writes to who joined',
      trigger: {
        node_id: 'joined',
        payload: {
          ...{ id: '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7a', name: 'workspaces.member.added', created_at: '2026-11-20T09:50:00.123Z' },
          actor: { type: 'user', id: '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7c' },
          data: {
            workspace_id: '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7d',
            user_id: '019aa0f0-8c3e-7a5b-9c1d-2f3e4d5c6b7b',
            role: 'member',
          },
          millrace_hops: 0,
        },
      },
      replies: { welcome: { output: { message_id: null, accepted: ['ada@example.org'], rejected: [] } } },
      expect: { status: 'succeeded', ports: { welcome: 'out' } },
    },
  ],
})
