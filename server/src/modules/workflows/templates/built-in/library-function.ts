import { defineTemplate } from './define.ts'

export const libraryFunction = defineTemplate({
  id: 'library-function',
  title: 'A function for other workflows',
  description:
    'Brings a customer `{ "name", "email", "phone", "country" }` into one form and says what is wrong with it. Other workflows call it with `flow.call`, so that the rules stand in one place.',
  category: 'building_blocks',
  icon: 'function',
  parameters: [],
  definition: {
    nodes: [
      { id: 'start', type: 'trigger.manual' },
      {
        id: 'customer',
        name: 'In one form',
        type: 'data.set',
        config: {
          values: {
            name: '{{ string(trigger.?name.orValue("")).trim() }}',
            email: '{{ string(trigger.?email.orValue("")).trim().lower() }}',
            phone: '{{ string(trigger.?phone.orValue("")).replace(" ", "").replace("-", "").replace("/", "") }}',
            country: '{{ string(trigger.?country.orValue("")).trim().upper() }}',
          },
        },
      },
      {
        id: 'result',
        type: 'data.set',
        config: {
          values: {
            customer: '{{ steps.customer.output }}',
            problems:
              '{{ [steps.customer.output.name != "" ? "" : "name is missing", steps.customer.output.email.matches("^[^@ ]+@[^@ ]+[.][^@ ]+$") ? "" : "email is no address", steps.customer.output.phone.matches("^([+]?[0-9]{4,20})?$") ? "" : "phone is no number", steps.customer.output.country.matches("^[A-Z]{2}$") ? "" : "country is no code of two letters"].filter(p, p != "") }}',
          },
        },
      },
    ],
    edges: [
      { from: 'start', to: 'customer' },
      { from: 'customer', to: 'result' },
    ],
  },
  tests: [
    {
      name: 'brings a customer into one form',
      trigger: { node_id: 'start', payload: { name: ' Ada ', email: 'ADA@Example.org ', phone: '+43 1/234-567', country: 'at' } },
      expect: {
        status: 'succeeded',
        output: { customer: { name: 'Ada', email: 'ada@example.org', phone: '+431234567', country: 'AT' }, problems: [] },
      },
    },
    {
      name: 'says all that is wrong',
      trigger: { node_id: 'start', payload: { phone: 'none', country: 'Austria' } },
      expect: {
        status: 'succeeded',
        steps: {
          result: {
            customer: { name: '', email: '', phone: 'none', country: 'AUSTRIA' },
            problems: ['name is missing', 'email is no address', 'phone is no number', 'country is no code of two letters'],
          },
        },
      },
    },
  ],
})
