import { defineTemplate, parameter, pathParameter } from './define.ts'

const hook = {
  node_id: 'hook',
  payload: { method: 'POST', path: 'customers', headers: {}, query: {}, body: { name: 'Ada' }, raw_id: null },
}

export const callAFunction = defineTemplate({
  id: 'call-a-function',
  title: 'Use another workflow as a function',
  description:
    'Takes a call, has another workflow of the workspace work on it, for one the one of the template `library-function`, and answers with its result, or with 422 and its problems.',
  category: 'building_blocks',
  icon: 'arrows-join',
  parameters: [
    pathParameter('customers'),
    {
      name: 'workflow_id',
      title: 'Which workflow is called',
      description: 'It gives `{ "customer", "problems" }`.',
      schema: { type: 'string', format: 'uuid' },
      refers_to: 'workflow',
    },
  ],
  definition: {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: parameter('path'), respond: 'respond_node' } },
      {
        id: 'call',
        type: 'flow.call',
        config: { workflow_id: parameter('workflow_id'), input: '{{ trigger.body }}', wait: true },
        timeout_ms: 25_000,
      },
      { id: 'is_fine', type: 'flow.if', config: { condition: 'size(steps.call.output.?problems.orValue([])) == 0' } },
      { id: 'answer', type: 'http.respond', config: { body: '{{ steps.call.output.customer }}' } },
      { id: 'refuse', type: 'http.respond', config: { status: 422, body: { problems: '{{ steps.call.output.problems }}' } } },
    ],
    edges: [
      { from: 'hook', to: 'call' },
      { from: 'call', to: 'is_fine' },
      { from: 'is_fine', port: 'true', to: 'answer' },
      { from: 'is_fine', port: 'false', to: 'refuse' },
    ],
  },
  tests: [
    {
      name: 'answers with the result',
      trigger: hook,
      replies: { call: { output: { customer: { name: 'Ada' }, problems: [] } } },
      expect: { status: 'succeeded', steps: { answer: { status: 200, body: { name: 'Ada' } } } },
    },
    {
      name: 'refuses what the function refuses',
      trigger: hook,
      replies: { call: { output: { customer: {}, problems: ['email is no address'] } } },
      expect: { status: 'succeeded', steps: { refuse: { status: 422, body: { problems: ['email is no address'] } } } },
    },
  ],
})
