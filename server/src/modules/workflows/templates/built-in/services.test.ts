import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../../test-app.ts'
import { openN8n, api_key, type StandIn } from '../../../integrations/n8n/stand-in.testing.ts'
import { type Answer, type Asked, type Wire, wire } from '../../../integrations/wire.testing.ts'
import { openPostOffice, type PostOffice } from '../../../mail/post-office.testing.ts'
import { begin, connect, ended, executionsOf, keepSecret } from '../templates.testing.ts'

let mill: TestApp
let anna: TestUser
let service: Wire
let n8n: StandIn
let office: PostOffice
let answer: (asked: Asked) => Answer

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
  service = await wire((asked) => answer(asked))
  n8n = await openN8n()
  office = await openPostOffice()
})
afterAll(async () => {
  await mill.close()
  await service.close()
  await n8n.close()
  await office.close()
})

const asked = (path: string): readonly Asked[] => service.asked.filter((one) => one.path === path)
const hook = (path: string, body: unknown, headers: { [name: string]: string } = {}) =>
  mill.call('POST', `/hooks/anna/${path}`, { body, headers })

test('n8n-hand-off starts the workflow of n8n once, and says why when it cannot', async () => {
  const config = { base_url: n8n.url }
  const integration = await connect(anna, 'n8n', config, { api_key })
  n8n.workflows.push({ id: 'w1', path: 'orders/new', active: true, mode: 'lastNode' }, { id: 'w2', path: 'asleep', active: false })
  await begin(anna, 'n8n-hand-off', { path: 'to-n8n', n8n: integration, n8n_path: 'orders/new', event: 'order.created' })
  n8n.weather.push({ status: 503 })
  const taken = await hook('to-n8n', { id: 7 })
  expect([taken.status, taken.body]).toEqual([200, { outcome: 'succeeded', answer: { got: { id: 7 } } }])
  expect(n8n.runs).toHaveLength(1)
  expect(JSON.parse(n8n.runs[0]?.asked.body ?? '')).toMatchObject({ event: 'order.created', data: { id: 7 } })
  await begin(anna, 'n8n-hand-off', { path: 'to-nobody', n8n: integration, n8n_path: 'asleep' })
  const refused = await hook('to-nobody', {})
  expect([refused.status, refused.body.code]).toEqual([502, 'n8n.not_active'])
})

test('github-to-slack posts what is signed by GitHub, once for a delivery, and nothing else', async () => {
  const slack = await connect(anna, 'slack', { base_url: `${service.url}/api` }, { token: 'xoxb-1' })
  const secret_id = await keepSecret(anna, 'GitHub', 'a secret of both')
  const id = await begin(anna, 'github-to-slack', { path: 'github', secret_id, slack, channel: '#mill' })
  answer = () => ({ body: { ok: true, channel: 'C1', ts: '1.1' } })
  let number = 0
  const deliver = (event: string, payload: object, delivery = `d${(number += 1)}`, secret = 'a secret of both') => {
    const body = JSON.stringify(payload)
    const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
    return mill.call('POST', '/hooks/anna/github', {
      body,
      headers: {
        ...{ 'content-type': 'application/json', 'x-github-event': event },
        ...{ 'x-github-delivery': delivery, 'x-hub-signature-256': signature },
      },
    })
  }
  const repository = { full_name: 'acme/mill' }
  const release = { action: 'published', repository, release: { tag_name: 'v2', html_url: 'https://github.com/acme/mill/releases/v2' } }
  expect((await deliver('release', release, 'one')).status).toBe(202)
  expect((await deliver('release', release, 'one')).status).toBe(202)
  expect((await deliver('release', release, 'two', 'a guess')).status).toBe(401)
  await deliver('star', { action: 'created', repository })
  const pull_request = { title: 'Turn faster', html_url: 'https://github.com/acme/mill/pull/1', user: { login: 'ben' } }
  await deliver('pull_request', { action: 'opened', repository, pull_request })
  const workflow_run = { conclusion: 'failure', name: 'ci', head_branch: 'main', html_url: 'https://github.com/acme/mill/actions/runs/1' }
  await deliver('workflow_run', { action: 'completed', repository, workflow_run })
  const all = await ended(anna, id, 4)
  expect(all.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded'])
  const posts = asked('/api/chat.postMessage').map(({ body }) => JSON.parse(body))
  expect(posts.map(({ channel }) => channel)).toEqual(['#mill', '#mill', '#mill'])
  expect(posts.map(({ text }) => text as string).toSorted()).toEqual([
    '"ci" failed on main of acme/mill: https://github.com/acme/mill/actions/runs/1',
    'acme/mill v2 is out: https://github.com/acme/mill/releases/v2',
    'ben opened "Turn faster" in acme/mill: https://github.com/acme/mill/pull/1',
  ])
})

test('stripe-receipt mails a receipt once for a payment, and believes nobody who has not signed', async () => {
  const smtp = await connect(anna, 'smtp', { host: '127.0.0.1', port: office.port, tls: 'off', from: 'Shop <shop@mill.example>' })
  const secret_id = await keepSecret(anna, 'Stripe', 'whsec_test_1')
  const id = await begin(anna, 'stripe-receipt', { path: 'stripe', secret_id, smtp, company: 'The Mill' })
  const deliver = (event: object, secret = 'whsec_test_1') => {
    const body = JSON.stringify(event)
    const seconds = Math.floor(Date.now() / 1000)
    const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
    return mill.call('POST', '/hooks/anna/stripe', {
      body,
      headers: { 'content-type': 'application/json', 'stripe-signature': `t=${seconds},v1=${signature}` },
    })
  }
  const paid = (event_id: string, more: object = {}) => ({
    ...{ id: event_id, type: 'checkout.session.completed', created: 1_795_168_200 },
    data: {
      object: {
        ...{ id: 'cs_1', amount_total: 1205, currency: 'eur', payment_status: 'paid' },
        customer_details: { email: 'ada@example.org', name: 'Ada' },
        ...more,
      },
    },
  })
  expect((await deliver(paid('evt_1'))).status).toBe(202)
  expect((await deliver(paid('evt_1'))).status).toBe(202)
  expect((await deliver(paid('evt_2', { payment_status: 'unpaid' }))).status).toBe(202)
  expect((await deliver({ id: 'evt_3', type: 'customer.created', created: 1, data: { object: {} } })).status).toBe(202)
  expect((await deliver(paid('evt_4'), 'whsec_guess')).status).toBe(401)
  await ended(anna, id, 3)
  expect(office.taken).toHaveLength(1)
  const [mail] = office.taken
  expect(mail?.to).toEqual(['ada@example.org'])
  expect(mail?.header('subject')).toBe('Your receipt from The Mill')
  expect(mail?.parts.get('text/plain')).toContain('your payment of 12.05 EUR on 20 November 2026')
})

test('lead-routing sends each lead where it belongs, and says so', async () => {
  answer = () => ({ status: 204 })
  await begin(anna, 'lead-routing', {
    ...{ path: 'leads', large: 10, sales_url: `${service.url}/sales` },
    ...{ partners_url: `${service.url}/partners`, newsletter_url: `${service.url}/newsletter` },
  })
  const leads: readonly [object, string][] = [
    [{ email: 'a@example.org', employees: 10 }, 'sales'],
    [{ email: 'b@example.org', employees: 9 }, 'newsletter'],
    [{ email: 'c@example.org', employees: 'many' }, 'newsletter'],
    [{ email: 'd@example.org', employees: 999, kind: 'partner' }, 'partners'],
  ]
  for (const [lead, route] of leads) {
    const reply = await hook('leads', lead)
    expect([reply.status, reply.body]).toEqual([200, { route }])
    expect(asked(`/${route}`).some(({ body }) => JSON.stringify(JSON.parse(body).lead) === JSON.stringify(lead))).toBe(true)
  }
})

test('wait-for-call-back waits for the service, takes one call, and passes the result on', async () => {
  const callbacks: string[] = []
  answer = ({ path, body }) => {
    if (path === '/job') callbacks.push(JSON.parse(body).callback_url)
    return { status: 202, body: {} }
  }
  const id = await begin(anna, 'wait-for-call-back', { path: 'jobs', job_url: `${service.url}/job`, result_url: `${service.url}/result` })
  await hook('jobs', { n: 1 })
  await expect.poll(async () => (await executionsOf(anna, id))[0]?.status, { timeout: 10_000 }).toBe('waiting')
  const call = () => mill.call('POST', new URL(callbacks[0] ?? '').pathname, { body: { result: 42 } })
  expect([(await call()).status, (await call()).status]).toEqual([200, 409])
  expect((await ended(anna, id))[0].status).toBe('succeeded')
  expect(asked('/result').map(({ body }) => JSON.parse(body))).toEqual([{ job: { n: 1 }, result: { result: 42 } }])
})

test('wait-for-call-back ends as failed when nobody calls', async () => {
  answer = () => ({ status: 202, body: {} })
  const values = { job_url: `${service.url}/silent`, result_url: `${service.url}/never`, timeout_ms: 1_000 }
  const id = await begin(anna, 'wait-for-call-back', { path: 'jobs/silent', ...values })
  await hook('jobs/silent', { n: 1 })
  expect((await ended(anna, id))[0]).toMatchObject({ status: 'failed', error: { code: 'flow.stopped' } })
  expect(asked('/never')).toEqual([])
})
