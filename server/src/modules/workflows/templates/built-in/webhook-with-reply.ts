import type { JsonObject } from '../../../../lib/json.ts'
import { defineTemplate, parameter, pathParameter } from './define.ts'

const call = (query: JsonObject) => ({
  node_id: 'hook',
  payload: { method: 'GET', path: 'price', headers: {}, query, body: null, raw_id: null },
})

export const webhookWithReply = defineTemplate({
  id: 'webhook-with-reply',
  title: 'Answer a webhook, then go on',
  description:
    'A small API of your own: `GET` with `amount` and `currency` is answered with the price and its tax, in a form and with headers of your choice, or with 400 and what is missing.',
  category: 'webhooks',
  icon: 'arrow-back-up',
  parameters: [
    pathParameter('price'),
    { name: 'tax_percent', title: 'Tax in percent', schema: { type: 'number', minimum: 0, maximum: 100 }, default: 20 },
  ],
  definition: {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: parameter('path'), method: 'GET', respond: 'respond_node' } },
      { id: 'settings', type: 'data.set', config: { values: { tax_percent: parameter('tax_percent') } } },
      {
        id: 'asked',
        name: 'Is it complete?',
        type: 'flow.if',
        config: { condition: 'string(trigger.query.?amount.orValue("")).matches("^[0-9]{1,9}([.][0-9]{1,2})?$")' },
      },
      {
        id: 'price',
        type: 'data.set',
        config: {
          values: {
            net: '{{ number(trigger.query.amount) }}',
            tax: '{{ round(number(trigger.query.amount) * steps.settings.output.tax_percent / 100, 2) }}',
            gross: '{{ round(number(trigger.query.amount) * (100 + steps.settings.output.tax_percent) / 100, 2) }}',
            currency: '{{ trigger.query.?currency.orValue("EUR") }}',
          },
        },
      },
      { id: 'answer', type: 'http.respond', config: { headers: { 'cache-control': 'max-age=60' }, body: '{{ steps.price.output }}' } },
      {
        id: 'refuse',
        type: 'http.respond',
        config: { status: 400, body: { error: 'amount must be a number with at most two digits behind the point' } },
      },
    ],
    edges: [
      { from: 'hook', to: 'settings' },
      { from: 'settings', to: 'asked' },
      { from: 'asked', port: 'true', to: 'price' },
      { from: 'price', to: 'answer' },
      { from: 'asked', port: 'false', to: 'refuse' },
    ],
  },
  tests: [
    {
      name: 'answers with the price',
      trigger: call({ amount: '100', currency: 'CHF' }),
      expect: { status: 'succeeded', steps: { price: { net: 100, tax: 20, gross: 120, currency: 'CHF' } }, ports: { refuse: null } },
      // They depend on the tax.
      ignore: ['/steps/price/tax', '/steps/price/gross'],
    },
    {
      name: 'refuses an amount that is none',
      trigger: call({ amount: 'ten' }),
      expect: { status: 'succeeded', ports: { refuse: 'out', price: null } },
    },
  ],
})
