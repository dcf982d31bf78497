import { defineTemplate, integrationParameter, parameter, pathParameter, urlParameter } from './define.ts'

const found = (domain: string) => ({ output: { status: 200, headers: {}, body: { employees: domain.length }, duration_ms: 4 } })

export const batchEnrichment = defineTemplate({
  id: 'batch-enrichment',
  title: 'Enrich a list, and collect what fails',
  description:
    'Takes `{ "records": [{ "domain", … }] }`, asks a service for each, five at a time, and answers with the records, what the service knows of them, and which of them failed and why. One that fails stops none of the others.',
  category: 'data',
  icon: 'list-details',
  parameters: [
    pathParameter('enrich'),
    urlParameter('lookup_url', 'Which service is asked', 'With `GET` and `?domain=`.'),
    integrationParameter('http', 'integration_id', 'Credential of that service', { optional: true }),
  ],
  definition: {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: parameter('path'), respond: 'last_node' } },
      {
        id: 'each',
        type: 'flow.loop',
        config: {
          items: '{{ trigger.body.records }}',
          parallel: 5,
          on_item_error: 'collect',
          body: {
            nodes: [
              {
                id: 'look_up',
                type: 'http.request',
                config: {
                  method: 'GET',
                  url: parameter('lookup_url'),
                  integration_id: parameter('integration_id'),
                  query: { domain: '{{ item.domain }}' },
                  timeout_ms: 5_000,
                },
                retry: { max_attempts: 3, delay_ms: 300 },
              },
              { id: 'join', type: 'data.set', config: { values: { record: '{{ item }}', known: '{{ steps.look_up.output.body }}' } } },
            ],
            edges: [{ from: 'look_up', to: 'join' }],
          },
        },
      },
      {
        id: 'result',
        type: 'data.set',
        config: {
          values: {
            enriched: '{{ steps.each.output.items.filter(e, e != null).map(e, e.record.merge({"known": e.known})) }}',
            failed: '{{ steps.each.output.errors.map(e, {"record": trigger.body.records[e.index], "message": e.message}) }}',
          },
        },
      },
    ],
    edges: [
      { from: 'hook', to: 'each' },
      { from: 'each', to: 'result' },
    ],
  },
  tests: [
    {
      name: 'keeps what failed apart',
      trigger: {
        node_id: 'hook',
        payload: {
          ...{ method: 'POST', path: 'enrich', headers: {}, query: {}, raw_id: null },
          body: { records: [{ domain: 'a.example' }, { domain: 'bb.example' }] },
        },
      },
      replies: {
        'each[0].look_up': found('a.example'),
        'each[1].look_up': { error: { code: 'http.status', message: 'GET lookup answered 404' } },
      },
      expect: {
        status: 'succeeded',
        output: {
          enriched: [{ domain: 'a.example', known: { employees: 9 } }],
          failed: [{ record: { domain: 'bb.example' }, message: 'GET lookup answered 404' }],
        },
      },
    },
  ],
})
