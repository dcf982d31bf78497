import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../../test-app.ts'
import { type Answer, type Asked, type Wire, wire } from '../../../integrations/wire.testing.ts'
import { begin, connect } from '../templates.testing.ts'

let mill: TestApp
let anna: TestUser
let service: Wire
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

test('csv-to-records sends each line once, under a key of its own, and says which lines failed', async () => {
  const integration_id = await connect(anna, 'http', { auth: 'bearer', base_url: service.url }, { token: 'of-the-service' })
  await begin(anna, 'csv-to-records', { record_url: `${service.url}/records`, integration_id })
  const troubled = new Set<string>()
  answer = ({ body }) => {
    const { name } = JSON.parse(body)
    if (name === 'Ben') return { status: 422, body: 'no Bens' }
    // Each of the others is refused once.
    if (!troubled.has(name)) return troubled.add(name) && { status: 503 }
    return { status: 201, body: {} }
  }
  const csv = (body: string) => mill.call('POST', '/hooks/anna/import/csv', { body, headers: { 'content-type': 'text/csv' } })
  const file = '\uFEFFname,note\r\n"Ada, Countess","said ""hi"",\nthen left"\r\nBen,\r\n\r\nCleo,last'
  const { status, body } = await csv(file)
  expect([status, body]).toEqual([200, { lines: 3, sent: 2, failed: [{ line: 3, message: expect.stringContaining('answered 422') }] }])
  const records = asked('/records')
  const byName = Map.groupBy(records, (one) => JSON.parse(one.body).name as string)
  expect(
    [...byName].map(([name, tries]) => [name, tries.length, new Set(tries.map(({ headers }) => headers['idempotency-key'])).size]),
  ).toEqual(
    expect.arrayContaining([
      ['Ada, Countess', 2, 1],
      ['Ben', 1, 1],
      ['Cleo', 2, 1],
    ]),
  )
  expect(new Set(records.map(({ headers }) => headers['idempotency-key'])).size).toBe(3)
  expect(JSON.parse(byName.get('Ada, Countess')?.[0]?.body ?? '')).toEqual({ name: 'Ada, Countess', note: 'said "hi",\nthen left' })
  expect(records.every(({ headers }) => headers.authorization === 'Bearer of-the-service')).toBe(true)
  expect((await csv('a,b\n1\n')).status).toBe(500)
  expect((await csv('')).body).toEqual({ lines: 0, sent: 0, failed: [] })
})

test('batch-enrichment joins what a service knows, at most five at a time, and keeps apart what fails', async () => {
  await begin(anna, 'batch-enrichment', { lookup_url: `${service.url}/lookup` })
  answer = ({ query }) => (query.get('domain') === 'none.example' ? { status: 404 } : { body: { of: query.get('domain') } })
  const records = [
    ...Array.from({ length: 12 }, (_, index) => ({ id: index, domain: `d${index}.example` })),
    { id: 12, domain: 'none.example' },
  ]
  const { status, body } = await mill.call('POST', '/hooks/anna/enrich', { body: { records } })
  expect(status, JSON.stringify(body)).toBe(200)
  expect(body.enriched).toEqual(records.slice(0, 12).map((record) => ({ ...record, known: { of: record.domain } })))
  expect(body.failed).toEqual([{ record: { id: 12, domain: 'none.example' }, message: expect.stringContaining('answered 404') }])
  expect(asked('/lookup')).toHaveLength(13)
})

test('call-a-function has library-function do the work, and answers with it', async () => {
  const workflow_id = await begin(anna, 'library-function')
  await begin(anna, 'call-a-function', { path: 'customers', workflow_id })
  const call = (body: object) => mill.call('POST', '/hooks/anna/customers', { body })
  const fine = await call({ name: ' Ada ', email: 'ADA@example.org', phone: '+43 1 234', country: 'at' })
  expect([fine.status, fine.body]).toEqual([200, { name: 'Ada', email: 'ada@example.org', phone: '+431234', country: 'AT' }])
  const wrong = await call({ name: 'Ben', country: 'AT' })
  expect([wrong.status, wrong.body]).toEqual([422, { problems: ['email is no address'] }])
})
