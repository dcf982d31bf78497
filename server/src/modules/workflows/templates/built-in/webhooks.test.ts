import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../../test-app.ts'
import { type Answer, type Asked, type Wire, wire } from '../../../integrations/wire.testing.ts'
import { begin, connect, ended, executionsOf } from '../templates.testing.ts'

let mill: TestApp
let anna: TestUser
let service: Wire
/** What the service answers; a test says it. */
let answer: (asked: Asked) => Answer

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
  service = await wire((asked) => answer(asked))
})
afterAll(async () => {
  await mill.close()
  await service.close()
})

const asked = (path: string): readonly Asked[] => service.asked.filter((one) => one.path === path)
const hook = (path: string, body: unknown, method = 'POST') => mill.call(method, `/hooks/anna/${path}`, method === 'GET' ? {} : { body })

test('webhook-intake stores an order once, with its credential, says what is wrong with others, and is patient with the store', async () => {
  const integration_id = await connect(anna, 'http', { auth: 'bearer', base_url: service.url }, { token: 'of-the-store' })
  await begin(anna, 'webhook-intake', { path: 'orders', store_url: `${service.url}/orders`, integration_id })
  let calls = 0
  answer = () => ((calls += 1) === 1 ? { status: 503 } : { status: 201, body: {} })
  const order = { id: 'A-7', email: 'ada@example.org', total: 12.5 }
  const taken = await hook('orders', order)
  expect([taken.status, taken.body]).toEqual([201, { id: 'A-7', stored: true }])
  const again = await hook('orders', order)
  expect([again.status, again.body]).toEqual([201, { id: 'A-7', stored: true }])
  const stored = asked('/orders')
  expect(stored.map(({ headers }) => [headers.authorization, headers['idempotency-key']])).toEqual([
    ['Bearer of-the-store', 'order-A-7'],
    ['Bearer of-the-store', 'order-A-7'],
  ])
  expect(stored.map(({ body }) => JSON.parse(body))).toEqual([order, order])

  const refused = await hook('orders', { id: 'A-8', email: 'nobody', total: -1 })
  expect([refused.status, refused.body]).toEqual([422, { problems: ['email is no address', 'total must be above 0'] }])
  expect(asked('/orders')).toHaveLength(2)
})

test('webhook-with-reply answers with the price, in its own form, or with what is missing', async () => {
  const id = await begin(anna, 'webhook-with-reply', { path: 'price', tax_percent: 19 })
  const reply = await hook('price?amount=10.55&currency=CHF', null, 'GET')
  expect([reply.status, reply.body, reply.headers.get('cache-control')]).toEqual([
    200,
    { net: 10.55, tax: 2, gross: 12.55, currency: 'CHF' },
    'max-age=60',
  ])
  for (const query of ['', '?amount=ten', '?amount=1&amount=2'])
    expect([query, (await hook(`price${query}`, null, 'GET')).status]).toEqual([query, 400])
  expect((await executionsOf(anna, id)).map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded'])
})

test('retry-with-dead-letter tries again while the service has trouble, and delivers under one key', async () => {
  const id = await begin(anna, 'retry-with-dead-letter', {
    path: 'deliver',
    target_url: `${service.url}/target`,
    dead_letter_url: `${service.url}/dead`,
    delay_ms: 5,
  })
  const weather: Answer[] = [{ status: 500 }, { status: 429, headers: { 'retry-after': '0' } }, { status: 502 }]
  answer = () => weather.shift() ?? { status: 200, body: { ok: true } }
  expect((await hook('deliver', { n: 1 })).status).toBe(202)
  const [execution] = await ended(anna, id)
  expect(execution.status).toBe('succeeded')
  const tries = asked('/target')
  expect(tries).toHaveLength(4)
  expect(new Set(tries.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  expect(asked('/dead')).toEqual([])
})

test('retry-with-dead-letter keeps what is refused for good, at once, and what fails to the end, with the reason', async () => {
  const id = await begin(anna, 'retry-with-dead-letter', {
    path: 'deliver/dead',
    target_url: `${service.url}/never`,
    dead_letter_url: `${service.url}/kept`,
    max_attempts: 3,
    delay_ms: 5,
  })
  answer = ({ path, body }) => {
    if (path === '/kept') return { status: 200, body: {} }
    return { status: JSON.parse(body).bad === true ? 400 : 503, body: 'no' }
  }
  await hook('deliver/dead', { bad: true })
  const [refused] = await ended(anna, id)
  expect(refused).toMatchObject({ status: 'failed', error: { code: 'flow.stopped', message: expect.stringContaining('answered 400') } })
  expect(asked('/never')).toHaveLength(1)
  await hook('deliver/dead', { n: 2 })
  const [, exhausted] = await ended(anna, id, 2)
  expect(exhausted.status).toBe('failed')
  expect(asked('/never')).toHaveLength(4)
  expect(asked('/kept').map(({ body }) => JSON.parse(body))).toMatchObject([
    { execution_id: refused.id, body: { bad: true }, error: { code: 'http.status', message: expect.stringContaining('400') } },
    { execution_id: exhausted.id, body: { n: 2 }, error: { code: 'http.status', message: expect.stringContaining('503') } },
  ])
})

test('fan-out-fan-in asks all three at once, and a service that fails leaves null', async () => {
  await begin(anna, 'fan-out-fan-in', {
    path: 'profile',
    orders_url: `${service.url}/of/orders`,
    tickets_url: `${service.url}/of/tickets`,
    invoices_url: `${service.url}/of/invoices`,
  })
  answer = ({ path, query }) => (path === '/of/tickets' ? { status: 404 } : { body: { from: path, id: query.get('id') } })
  const { status, body } = await hook('profile', { id: 'c-1' })
  expect(status).toBe(200)
  expect(body).toEqual({
    id: 'c-1',
    orders: { from: '/of/orders', id: 'c-1' },
    tickets: null,
    invoices: { from: '/of/invoices', id: 'c-1' },
  })
})

test('data-clean-up drops, mends, dedupes and sorts a list, and says how much it did', async () => {
  await begin(anna, 'data-clean-up')
  const contacts = [
    { email: ' Ben@Example.org ', name: ' Ben ', updated_at: '2026-01-01' },
    { email: 'ada@example.org', name: 'Ada', updated_at: '2026-01-02' },
    { email: 'no address', name: 'Nobody' },
    { name: 'Nothing' },
    { email: 7 },
    { email: 'ben@example.org', name: 'Benjamin', updated_at: '2026-02-01' },
  ]
  const { status, body } = await hook('contacts/clean', { contacts })
  expect([status, body]).toEqual([
    200,
    {
      contacts: [
        { email: 'ada@example.org', name: 'Ada', updated_at: '2026-01-02' },
        { email: 'ben@example.org', name: 'Benjamin', updated_at: '2026-02-01' },
      ],
      came: 6,
      without_address: 3,
      duplicates: 1,
    },
  ])
})
