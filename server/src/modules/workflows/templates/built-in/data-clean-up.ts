import { defineTemplate, parameter, pathParameter } from './define.ts'

export const dataCleanUp = defineTemplate({
  id: 'data-clean-up',
  title: 'Clean up a list of contacts',
  description:
    'Takes `{ "contacts": [{ "email", "name", "updated_at" }] }`, drops those without an address, writes addresses in one way, keeps the newest of each, sorts them, and answers with the list and its numbers.',
  category: 'data',
  icon: 'filter',
  parameters: [pathParameter('contacts/clean')],
  definition: {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: parameter('path'), respond: 'last_node' } },
      {
        id: 'usable',
        name: 'With an address',
        type: 'data.filter',
        config: {
          items: 'trigger.body.contacts',
          condition: 'type(item.?email.orValue(null)) == "string" && item.email.trim().matches("^[^@ ]+@[^@ ]+[.][^@ ]+$")',
        },
      },
      {
        id: 'tidy',
        name: 'Written in one way',
        type: 'data.map',
        config: {
          items: 'steps.usable.output',
          values: {
            email: '{{ item.email.trim().lower() }}',
            name: '{{ string(item.?name.orValue("")).trim() }}',
            updated_at: '{{ item.?updated_at.orValue("") }}',
          },
        },
      },
      {
        id: 'by_age',
        name: 'Newest first',
        type: 'data.sort',
        config: { items: 'steps.tidy.output', by: [{ expression: 'item.updated_at', order: 'desc' }] },
      },
      { id: 'once', name: 'Each once', type: 'data.dedupe', config: { items: 'steps.by_age.output', by: 'item.email' } },
      { id: 'sorted', type: 'data.sort', config: { items: 'steps.once.output', by: [{ expression: 'item.email' }] } },
      {
        id: 'answer',
        type: 'data.set',
        config: {
          values: {
            contacts: '{{ steps.sorted.output }}',
            came: '{{ size(trigger.body.contacts) }}',
            without_address: '{{ size(trigger.body.contacts) - size(steps.usable.output) }}',
            duplicates: '{{ size(steps.usable.output) - size(steps.once.output) }}',
          },
        },
      },
    ],
    edges: [
      { from: 'hook', to: 'usable' },
      { from: 'usable', to: 'tidy' },
      { from: 'tidy', to: 'by_age' },
      { from: 'by_age', to: 'once' },
      { from: 'once', to: 'sorted' },
      { from: 'sorted', to: 'answer' },
    ],
  },
  tests: [
    {
      name: 'keeps the newest of each address',
      trigger: {
        node_id: 'hook',
        payload: {
          ...{ method: 'POST', path: 'contacts/clean', headers: {}, query: {}, raw_id: null },
          body: {
            contacts: [
              { email: 'Ben@example.org', name: 'Ben', updated_at: '2026-01-01' },
              { email: ' ben@example.org', name: ' Benjamin', updated_at: '2026-02-01' },
              { email: 'nobody' },
            ],
          },
        },
      },
      expect: {
        status: 'succeeded',
        output: {
          contacts: [{ email: 'ben@example.org', name: 'Benjamin', updated_at: '2026-02-01' }],
          ...{ came: 3, without_address: 1, duplicates: 1 },
        },
      },
    },
  ],
})
