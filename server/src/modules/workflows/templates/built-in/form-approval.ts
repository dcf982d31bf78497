import { defineTemplate, parameter, pathParameter, recipientsParameter } from './define.ts'

const form = {
  node_id: 'form',
  payload: {
    fields: { name: 'Ada', email: 'ada@example.org', days: 3, first_day: '2026-12-01', note: null },
    ...{ submitted_at: '2026-11-20T10:00:00.000Z', form: 'leave' },
  },
}
const answer = (decision: string) => ({ output: { decision, decisions: [] }, port: decision })
const mailed = { output: { message_id: null, accepted: ['boss@example.org'], rejected: [] } }

export const formApproval = defineTemplate({
  id: 'form-approval',
  title: 'Have a request from a form approved',
  description:
    'Shows a form for leave, asks members of the workspace about each request, and mails the decision to those who need to know. No other service is needed.',
  category: 'people',
  icon: 'clipboard-list',
  parameters: [
    { ...pathParameter('leave'), title: 'Path of the form' },
    {
      name: 'approvers',
      title: 'Who decides',
      description: 'Addresses or ids of members of the workspace; one of them decides.',
      schema: { type: 'array', items: { type: 'string' }, maxItems: 50 },
    },
    recipientsParameter('Who is told the decision'),
    {
      name: 'expires_ms',
      title: 'How long deciding may take, in milliseconds',
      schema: { type: 'integer', minimum: 1_000, maximum: 31_622_400_000 },
      default: 604_800_000,
    },
  ],
  definition: {
    nodes: [
      {
        id: 'form',
        type: 'trigger.form',
        config: {
          path: parameter('path'),
          title: 'Ask for leave',
          fields: [
            { name: 'name', label: 'Your name', type: 'text', required: true },
            { name: 'email', label: 'Your address', type: 'email', required: true },
            { name: 'first_day', label: 'First day', type: 'date', required: true },
            { name: 'days', label: 'How many days', type: 'number', integer: true, min: 1, max: 60, required: true },
            { name: 'note', label: 'Anything else', type: 'textarea', max_length: 1_000 },
          ],
          submit_label: 'Ask',
          success_message: 'Thank you. You will hear of it.',
        },
      },
      {
        id: 'decide',
        type: 'flow.approval',
        config: {
          approvers: parameter('approvers'),
          needed: 1,
          expires_ms: parameter('expires_ms'),
          message:
            '{{ trigger.fields.name }} ({{ trigger.fields.email }}) asks for {{ trigger.fields.days }} days from {{ trigger.fields.first_day }}. {{ trigger.fields.note }}',
        },
      },
      {
        id: 'tell',
        type: 'mail.send',
        config: {
          to: parameter('recipients'),
          subject: 'Leave of {{ trigger.fields.name }}: {{ steps.decide.output.decision }}',
          text: '{{ trigger.fields.name }} ({{ trigger.fields.email }}) has asked for {{ trigger.fields.days }} days from {{ trigger.fields.first_day }}.\n\nDecision: {{ steps.decide.output.decision }}',
        },
        retry: { max_attempts: 5, delay_ms: 1_000 },
      },
    ],
    edges: [{ from: 'form', to: 'decide' }, ...['approved', 'rejected', 'expired'].map((port) => ({ from: 'decide', port, to: 'tell' }))],
  },
  tests: ['approved', 'rejected', 'expired'].map((decision) => ({
    name: `tells that it was ${decision}`,
    trigger: form,
    replies: { decide: answer(decision), tell: mailed },
    expect: { status: 'succeeded', ports: { decide: decision, tell: 'out' } },
  })),
})
