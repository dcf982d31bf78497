import { defineTemplate, parameter, pathParameter, urlParameter } from './define.ts'

const approvers = (name: string, title: string) =>
  ({
    name,
    title,
    description: 'Addresses or ids of members of the workspace; one of them decides.',
    schema: { type: 'array', items: { type: 'string' }, maxItems: 50 },
  }) as const

const hook = (amount: number) => ({
  node_id: 'request',
  payload: { method: 'POST', path: 'spend', headers: {}, query: {}, body: { what: 'Millstones', amount, asked_by: 'Ada' }, raw_id: null },
})
const answer = (decision: string) => ({ output: { decision, decisions: [] }, port: decision })
const told = { output: { status: 200, headers: {}, body: null, duration_ms: 3 } }

export const approvalChain = defineTemplate({
  id: 'approval-chain',
  title: 'Have spending approved, and large sums by a second person',
  description:
    'Takes `{ "what", "amount", "asked_by" }`, asks a first person and, from an amount on, a second one, and tells a service of yours how it was decided.',
  category: 'people',
  icon: 'user-check',
  parameters: [
    pathParameter('spend'),
    approvers('first', 'Who decides first'),
    approvers('second', 'Who decides large sums as well'),
    { name: 'large', title: 'From which amount on it is large', schema: { type: 'number', minimum: 0, maximum: 1e12 }, default: 1_000 },
    {
      name: 'expires_ms',
      title: 'How long each may take, in milliseconds',
      schema: { type: 'integer', minimum: 1_000, maximum: 31_622_400_000 },
      default: 259_200_000,
    },
    urlParameter('decision_url', 'Who is told the decision'),
  ],
  definition: {
    nodes: [
      { id: 'request', type: 'trigger.webhook', config: { path: parameter('path') } },
      { id: 'settings', type: 'data.set', config: { values: { large: parameter('large') } } },
      {
        id: 'first',
        type: 'flow.approval',
        config: {
          approvers: parameter('first'),
          needed: 1,
          expires_ms: parameter('expires_ms'),
          message: '{{ trigger.body.asked_by }} asks for {{ trigger.body.amount }}: {{ trigger.body.what }}',
        },
      },
      { id: 'is_large', type: 'flow.if', config: { condition: 'trigger.body.amount >= steps.settings.output.large' } },
      {
        id: 'second',
        type: 'flow.approval',
        config: {
          approvers: parameter('second'),
          needed: 1,
          expires_ms: parameter('expires_ms'),
          message: '{{ trigger.body.amount }} for {{ trigger.body.what }} was approved once and is a large sum',
        },
      },
      {
        id: 'decision',
        type: 'data.set',
        config: { values: { decision: '{{ steps.?second.?output.?decision.orValue(steps.first.output.decision) }}' } },
      },
      {
        id: 'tell',
        type: 'http.request',
        config: {
          method: 'POST',
          url: parameter('decision_url'),
          body: { request: '{{ trigger.body }}', decision: '{{ steps.decision.output.decision }}' },
        },
        retry: { max_attempts: 10, delay_ms: 2_000, max_delay_ms: 3_600_000 },
      },
    ],
    edges: [
      { from: 'request', to: 'settings' },
      { from: 'settings', to: 'first' },
      { from: 'first', port: 'approved', to: 'is_large' },
      { from: 'first', port: 'rejected', to: 'decision' },
      { from: 'first', port: 'expired', to: 'decision' },
      { from: 'is_large', port: 'true', to: 'second' },
      { from: 'is_large', port: 'false', to: 'decision' },
      ...['approved', 'rejected', 'expired'].map((port) => ({ from: 'second', port, to: 'decision' })),
      { from: 'decision', to: 'tell' },
    ],
  },
  tests: [
    {
      name: 'nothing at all takes one person',
      trigger: hook(-1),
      replies: { first: answer('approved'), tell: told },
      expect: { status: 'succeeded', steps: { decision: { decision: 'approved' } }, ports: { second: null } },
    },
    {
      name: 'a very large sum takes two, and the second has the last word',
      trigger: hook(1e15),
      replies: { first: answer('approved'), second: answer('rejected'), tell: told },
      expect: { status: 'succeeded', steps: { decision: { decision: 'rejected' } } },
    },
    {
      name: 'what the first lets expire is over',
      trigger: hook(1e15),
      replies: { first: answer('expired'), tell: told },
      expect: { status: 'succeeded', steps: { decision: { decision: 'expired' } }, ports: { second: null } },
    },
  ],
})
