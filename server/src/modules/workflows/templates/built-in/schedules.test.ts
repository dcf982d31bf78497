import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../../test-app.ts'
import { type Answer, type Asked, type Wire, wire } from '../../../integrations/wire.testing.ts'
import { openPostOffice, type PostOffice, type Received } from '../../../mail/post-office.testing.ts'
import { begin, ended } from '../templates.testing.ts'

let mill: TestApp
let anna: TestUser
let service: Wire
let office: PostOffice
let answer: (asked: Asked) => Answer | null

beforeAll(async () => {
  office = await openPostOffice()
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1', SMTP_URL: `smtp://127.0.0.1:${office.port}` } })
  anna = await mill.register('anna')
  await mill.database.owner`update users set email_verified = true where id = ${anna.id}`
  service = await wire((asked) => answer(asked))
})
afterAll(async () => {
  await mill.close()
  await service.close()
  await office.close()
})

const asked = (path: string): readonly Asked[] => service.asked.filter((one) => one.path === path)
const mailsAbout = (text: string): readonly Received[] => office.taken.filter((mail) => mail.header('subject')?.includes(text) === true)
const until = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 50 })
const textOf = (mail: Received | undefined): string => mail?.parts.get('text/plain')?.replaceAll('\r\n', '\n') ?? ''

test('scheduled-report fetches, adds up and mails the report, though the service has trouble at first', async () => {
  const weather: Answer[] = [{ status: 502 }]
  const orders = [
    { customer: 'Ada', total: 10 },
    { customer: 'Ben', total: 40.5 },
    { customer: 'Ada', total: 2.5 },
  ]
  answer = () => weather.shift() ?? { body: orders }
  const id = await begin(anna, 'scheduled-report', { cron: '* * * * * *', report_url: `${service.url}/report` })
  await until(() => expect(mailsAbout('Orders until').length).toBeGreaterThan(0))
  await anna.call('POST', `/api/v1/workflows/${id}/pause`)
  const [mail] = mailsAbout('Orders until')
  expect(mail?.to).toEqual([anna.email])
  expect(textOf(mail)).toContain('3 orders, 53 in all.\n\nBen: 40.5\nAda: 12.5')
  expect(asked('/report')[0]?.query.get('until')).toMatch(/^20.*Z$/)
})

test('polling-with-dedupe hands each entry on once, those that came before not, over several looks and a bad answer', async () => {
  const entries: { id: string; created_at: string }[] = []
  let looks = 0
  answer = ({ path }) => {
    if (path === '/target') return { body: {} }
    looks += 1
    return looks === 2 ? { status: 503 } : { body: [...entries, ...entries] }
  }
  const at = (ms: number): string => new Date(Date.now() + ms).toISOString()
  entries.push({ id: 'before', created_at: at(-3_600_000) }, { id: 'later', created_at: at(3_600_000) })
  const id = await begin(anna, 'polling-with-dedupe', {
    ...{ every_ms: 1_000, late_ms: 0 },
    ...{ list_url: `${service.url}/list`, target_url: `${service.url}/target` },
  })
  for (const [index, ms] of [50, 700, 1_300, 1_900].entries()) entries.push({ id: `e${index}`, created_at: at(ms) })
  const handed = () => asked('/target').map(({ body }) => JSON.parse(body).id as string)
  await until(() => expect(handed()).toHaveLength(4))
  const so_far = looks
  await until(() => expect(looks).toBeGreaterThan(so_far))
  await anna.call('POST', `/api/v1/workflows/${id}/pause`)
  expect(handed().toSorted()).toEqual(['e0', 'e1', 'e2', 'e3'])
  expect(asked('/target').map(({ headers, body }) => headers['idempotency-key'] === `entry-${JSON.parse(body).id}`)).toEqual([
    true,
    true,
    true,
    true,
  ])
})

test('uptime-check is content with a site that answers at the second try, and tells of one that does not at three', async () => {
  let calls = 0
  answer = () => ((calls += 1) % 2 === 1 ? { status: 503 } : { body: 'fine' })
  const values = { site_url: `${service.url}/site`, every_ms: 1_000, pause_ms: 10, timeout_ms: 200 }
  const shaky = await begin(anna, 'uptime-check', values)
  await until(() => expect(calls).toBeGreaterThan(3))
  await anna.call('POST', `/api/v1/workflows/${shaky}/pause`)
  expect(mailsAbout('The site is down')).toEqual([])
  // It never answers.
  answer = () => null
  const dead = await begin(anna, 'uptime-check', { ...values, site_url: `${service.url}/dead` })
  await until(() => expect(mailsAbout('The site is down').length).toBeGreaterThan(0))
  await anna.call('POST', `/api/v1/workflows/${dead}/pause`)
  expect(asked('/dead').length).toBeGreaterThanOrEqual(3)
  expect(mailsAbout('The site is down')[0]?.to).toEqual([anna.email])
})

test('error-notification tells who is to know which workflow failed, where and why', async () => {
  await begin(anna, 'error-notification')
  answer = () => ({ status: 400, body: 'no such order' })
  const failing = await begin(anna, 'retry-with-dead-letter', {
    path: 'failing',
    target_url: `${service.url}/refuses`,
    dead_letter_url: `${service.url}/refuses-as-well`,
  })
  await mill.call('POST', '/hooks/anna/failing', { body: {} })
  const [execution] = await ended(anna, failing)
  await until(() => expect(mailsAbout('has failed').length).toBeGreaterThan(0))
  const [mail, ...more] = mailsAbout('has failed')
  expect(more).toEqual([])
  expect(mail?.header('subject')).toContain('Deliver, try again')
  expect(textOf(mail)).toContain('At the step "bury": POST 127.0.0.1')
  expect(textOf(mail)).toContain(execution.id)
})
