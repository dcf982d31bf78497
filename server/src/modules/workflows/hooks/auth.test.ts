import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { JsonObject } from '../../../lib/json.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { create, publish, webhookDefinition } from '../definitions.testing.ts'

let mill: TestApp
let beside: TestApp
let anna: TestUser
let ben: TestUser

beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
  ben = await mill.register('ben')
  beside = await testApp({ beside: mill })
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

const secretOf = async (user: TestUser, name: string, value: string): Promise<string> => {
  const { status, body } = await user.call('POST', '/api/v1/workflows/secrets', { body: { name, value } })
  expect([status, JSON.stringify(body).includes(value)]).toEqual([201, false])
  return body.id as string
}

const sign = (secret: string, body: object): string => `sha256=${createHmac('sha256', secret).update(JSON.stringify(body)).digest('hex')}`
const deliver = (at: TestApp, path: string, signature: string | null, body: object = { n: 1 }) =>
  at.call('POST', `/hooks/anna/${path}`, { body, headers: signature === null ? {} : { 'x-hub-signature-256': signature } })

const executionsOf = async (workflow_id: string): Promise<number> =>
  (await anna.call('GET', `/api/v1/workflows/${workflow_id}/executions?total=true`)).body.total

const withoutPlace = (body: { readonly [member: string]: unknown }) => ({ ...body, request_id: '' })

test('a call without the right signature starts nothing, is counted, and learns nothing of why', async () => {
  const secret_id = await secretOf(anna, 'github', 'of-the-hub')
  const workflow_id = await publish(anna, webhookDefinition('signed', { auth: { type: 'github', secret_id } }))
  const good = await deliver(mill, 'signed', sign('of-the-hub', { n: 1 }))
  expect([good.status, good.body]).toEqual([200, { got: { n: 1 } }])
  const wrong = [
    await deliver(mill, 'signed', null),
    await deliver(mill, 'signed', 'sha256='),
    await deliver(mill, 'signed', sign('another', { n: 1 })),
    await deliver(mill, 'signed', sign('of-the-hub', { n: 2 })),
  ]
  for (const reply of wrong) {
    expect([reply.status, reply.body.code]).toEqual([401, 'workflows.hook_unauthorized'])
    expect(withoutPlace(reply.body)).toEqual(withoutPlace(wrong[0]?.body))
    expect(reply.headers.get('x-millrace-execution-id')).toBeNull()
  }
  expect(await executionsOf(workflow_id)).toBe(1)
  expect(await mill.app.metrics.registry.getSingleMetricAsString('millrace_webhook_refusals_total')).toContain(' 4')
})

test('an answer that is kept under a key is given to nobody who does not prove himself', async () => {
  const secret_id = await secretOf(anna, 'keyed', 'the-key')
  await publish(anna, webhookDefinition('keyed', { auth: { type: 'header', header: 'X-Shop-Token', secret_id } }))
  const call = (token: string) =>
    mill.call('POST', '/hooks/anna/keyed', { body: { n: 1 }, headers: { 'x-shop-token': token, 'idempotency-key': '"one"' } })
  const first = await call('the-key')
  expect(first.status).toBe(200)
  expect((await call('guessed')).status).toBe(401)
  expect((await call('the-key')).headers.get('idempotency-replayed')).toBe('true')
  const execution = await anna.call('GET', `/api/v1/workflows/executions/${first.headers.get('x-millrace-execution-id')}`)
  expect(execution.status).toBe(200)
  expect(JSON.stringify(execution.body)).not.toContain('the-key')
})

test('while a secret is replaced both count, here and in another process; after that the new one alone', async () => {
  const secret_id = await secretOf(anna, 'rotated', 'old')
  await publish(anna, webhookDefinition('rotated', { auth: { type: 'github', secret_id } }))
  const status = async (at: TestApp, secret: string) => (await deliver(at, 'rotated', sign(secret, { n: 1 }))).status
  await vi.waitFor(async () => expect(await status(beside, 'old')).toBe(200))
  expect(await status(mill, 'old')).toBe(200)
  const put = (body: object) => anna.call('PUT', `/api/v1/workflows/secrets/${secret_id}`, { body })
  expect((await put({ value: 'new', keep_previous_s: 60 })).status).toBe(200)
  expect([await status(mill, 'old'), await status(mill, 'new')]).toEqual([200, 200])
  await vi.waitFor(async () => expect([await status(beside, 'old'), await status(beside, 'new')]).toEqual([200, 200]))
  expect((await put({ value: 'newest', keep_previous_s: 0 })).status).toBe(200)
  expect([await status(mill, 'old'), await status(mill, 'new'), await status(mill, 'newest')]).toEqual([401, 401, 200])
  await vi.waitFor(async () => expect([await status(beside, 'new'), await status(beside, 'newest')]).toEqual([401, 200]))
})

test('a password asks for itself, and anybody who has not got it is told how to come', async () => {
  const secret_id = await secretOf(anna, 'password', 'flour')
  await publish(anna, webhookDefinition('basic', { auth: { type: 'basic', username: 'shop', secret_id } }))
  const call = (text: string) =>
    mill.call('POST', '/hooks/anna/basic', { headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` } })
  expect((await call('shop:flour')).status).toBe(200)
  const refused = await call('shop:bran')
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="webhook", charset="UTF-8"'])
})

test('a webhook cannot be published without what it needs to know its callers, nor with the secret of another workspace', async () => {
  const theirs = await secretOf(ben, 'theirs', 'of-ben')
  const problems = async (auth: JsonObject) => {
    const { id } = await create(anna, webhookDefinition('wrong', { auth }))
    const reply = await anna.call('POST', `/api/v1/workflows/${id}/publish`)
    expect([reply.status, reply.body.code]).toEqual([422, 'workflows.not_publishable'])
    return reply.body.errors.map(({ path }: { path: string }) => path)
  }
  expect(await problems({ type: 'github' })).toEqual(['/nodes/0/config/auth/secret_id'])
  expect(await problems({ type: 'github', secret_id: theirs })).toEqual(['/nodes/0/config/auth/secret_id'])
  expect(await problems({ type: 'basic', secret_id: 'x' })).toContain('/nodes/0/config/auth/secret_id')
  expect(await problems({ type: 'hmac' })).toEqual(['/nodes/0/config/auth/secret_id', '/nodes/0/config/auth/header'])
  expect(await problems({ type: 'jwt' })).toContain('/nodes/0/config/auth/type')
})

test('a secret is written, listed without its value, and removed when no webhook asks for it', async () => {
  const value = 'nobody-reads-this'
  const id = await secretOf(anna, 'kept', value)
  expect((await anna.call('POST', '/api/v1/workflows/secrets', { body: { name: 'kept', value } })).body.code).toBe(
    'workflows.secret_name_taken',
  )
  const seen = [
    (await anna.call('GET', '/api/v1/workflows/secrets?limit=100')).body,
    (await anna.call('GET', `/api/v1/workflows/secrets/${id}`)).body,
    await mill.database.owner`select * from workflow_secrets`,
    await mill.database.owner`select * from events where name like 'workflows.secret%'`,
    await mill.database.owner`select * from audit_entries`,
  ].map((part) => JSON.stringify(part))
  expect(seen.map((text) => text.includes(value))).toEqual([false, false, false, false, false])
  expect(seen[0]).toContain('"kept"')
  expect((await ben.call('GET', `/api/v1/workflows/secrets/${id}`)).status).toBe(404)
  const workflow_id = await publish(anna, webhookDefinition('uses', { auth: { type: 'github', secret_id: id } }))
  expect((await anna.call('DELETE', `/api/v1/workflows/secrets/${id}`)).body.code).toBe('workflows.secret_in_use')
  expect((await anna.call('POST', `/api/v1/workflows/${workflow_id}/archive`)).status).toBe(200)
  expect((await anna.call('DELETE', `/api/v1/workflows/secrets/${id}`)).status).toBe(204)
})
