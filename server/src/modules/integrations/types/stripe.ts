import { apiKeyType, bearer } from './api-key.ts'

export const stripe = apiKeyType({
  type: 'stripe',
  title: 'Stripe',
  doc: 'A secret or a restricted key. A restricted one needs to read the balance for the test.',
  base_url: 'https://api.stripe.com',
  key: 'Begins with `sk_` or `rk_`.',
  headers: bearer,
  test_path: '/v1/balance',
})
