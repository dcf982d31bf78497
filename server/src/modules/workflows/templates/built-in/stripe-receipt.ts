import { defineTemplate, parameter, pathParameter, secretParameter, smtpParameter } from './define.ts'

/** Stripe counts these in whole units, all others in hundredths. */
const whole = '["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"]'

const session = (more: object) => ({
  node_id: 'stripe',
  payload: {
    ...{ method: 'POST', path: 'stripe', headers: {}, query: {}, raw_id: null },
    body: {
      id: 'evt_1',
      type: 'checkout.session.completed',
      created: 1_795_168_200,
      data: {
        object: {
          ...{ id: 'cs_1', amount_total: 1250, currency: 'eur', payment_status: 'paid' },
          customer_details: { email: 'ada@example.org', name: 'Ada' },
          ...more,
        },
      },
    },
  },
})
const sent = { output: { message_id: '<1@example.org>', accepted: ['ada@example.org'], rejected: [] } }

export const stripeReceipt = defineTemplate({
  id: 'stripe-receipt',
  title: 'Mail a receipt for each payment with Stripe',
  description:
    'Hears from Stripe when a checkout is paid and mails the customer a receipt, once, however often Stripe tells of it. Calls have to be signed by Stripe.',
  category: 'services',
  icon: 'receipt',
  parameters: [
    pathParameter('stripe'),
    secretParameter('Signing secret of the endpoint', 'Begins with `whsec_`. Kept under `POST /workflows/secrets`.'),
    smtpParameter,
    { name: 'company', title: 'Who sells', schema: { type: 'string', maxLength: 200 }, default: 'our shop' },
  ],
  definition: {
    nodes: [
      {
        id: 'stripe',
        type: 'trigger.webhook',
        config: {
          path: parameter('path'),
          auth: { type: 'stripe', secret_id: parameter('secret_id') },
          dedupe: { expression: 'trigger.body.id', window_s: 2_592_000 },
        },
      },
      { id: 'settings', type: 'data.set', config: { values: { company: parameter('company') } } },
      {
        id: 'is_paid',
        type: 'flow.if',
        config: {
          condition:
            'trigger.body.type in ["checkout.session.completed", "checkout.session.async_payment_succeeded"] && trigger.body.data.object.payment_status == "paid" && trigger.body.data.object.?customer_details.?email.orValue(null) != null',
        },
      },
      {
        id: 'receipt',
        type: 'data.set',
        config: {
          values: {
            amount: `{{ trigger.body.data.object.currency in ${whole} ? string(trigger.body.data.object.amount_total) : string(floor(trigger.body.data.object.amount_total / 100)) + "." + string(trigger.body.data.object.amount_total % 100).padStart(2, "0") }}`,
            currency: '{{ trigger.body.data.object.currency.upper() }}',
            paid_on: '{{ format(trigger.body.created * 1000, "d MMMM yyyy") }}',
          },
        },
      },
      {
        id: 'mail',
        type: 'mail.send',
        config: {
          integration_id: parameter('smtp'),
          to: '{{ trigger.body.data.object.customer_details.email }}',
          subject: 'Your receipt from {{ steps.settings.output.company }}',
          text: 'Dear {{ trigger.body.data.object.customer_details.?name.orValue("customer") }},\n\nthank you for your payment of {{ steps.receipt.output.amount }} {{ steps.receipt.output.currency }} on {{ steps.receipt.output.paid_on }}.\n\nReference: {{ trigger.body.data.object.id }}',
        },
        retry: { max_attempts: 10, delay_ms: 5_000, max_delay_ms: 3_600_000 },
      },
    ],
    edges: [
      { from: 'stripe', to: 'settings' },
      { from: 'settings', to: 'is_paid' },
      { from: 'is_paid', port: 'true', to: 'receipt' },
      { from: 'receipt', to: 'mail' },
    ],
  },
  tests: [
    {
      name: 'writes hundredths with a point',
      trigger: session({}),
      replies: { mail: sent },
      expect: { status: 'succeeded', steps: { receipt: { amount: '12.50', currency: 'EUR', paid_on: '20 November 2026' } } },
    },
    {
      name: 'writes yen as they are',
      trigger: session({ currency: 'jpy' }),
      replies: { mail: sent },
      expect: { status: 'succeeded', steps: { receipt: { amount: '1250', currency: 'JPY', paid_on: '20 November 2026' } } },
    },
    {
      name: 'sends nothing before it is paid',
      trigger: session({ payment_status: 'unpaid' }),
      expect: { status: 'succeeded', ports: { is_paid: 'false', mail: null } },
    },
  ],
})
