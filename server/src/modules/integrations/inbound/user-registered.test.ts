import { createHmac } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp } from '../../../test-app.ts'

const key = Buffer.from('a secret of both sides')
const workspace_id = '01900000-0000-7000-8000-000000000001'
const mill = await testApp({
  env: { MILLRACE_USER_REGISTERED_SECRET: `whsec_${key.toString('base64')}`, MILLRACE_USER_REGISTERED_WORKSPACE: workspace_id },
})
const deaf = await testApp()
afterAll(async () => {
  await deaf.close()
  await mill.close()
})

const path = '/api/v1/webhooks/user-registered'
const told = JSON.stringify({ type: 'user.registered', data: { email: 'carl@example.org', id: '7', name: 'Carl', password: 'hunter2' } })

const signed = (body: string, { id = 'msg_1', at = Date.now(), by = key } = {}) => {
  const time = String(Math.floor(at / 1000))
  const signature = createHmac('sha256', by).update(`${id}.${time}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': `v1,b2xk v1,${signature}` }
}
const tell = (body: string, headers: { [name: string]: string }, app = mill) => app.call('POST', path, { body, headers })

test('what another system says of somebody who registered there is an event, once for each delivery', async () => {
  await scenario(mill, { when: () => tell(told, signed(told)), status: 204, events: ['integrations.user_registered'] })
  const event = (await mill.events()).at(-1)
  expect(event).toMatchObject({ workspace_id, data: { delivery_id: 'msg_1', email: 'carl@example.org', external_id: '7', name: 'Carl' } })
  expect(JSON.stringify(event)).not.toContain('hunter2')
  const again = await Promise.all(Array.from({ length: 5 }, () => tell(told, signed(told, { id: 'msg_2' }))))
  expect(again.map(({ status }) => status)).toEqual([204, 204, 204, 204, 204])
  expect((await mill.events()).filter(({ name }) => name === 'integrations.user_registered')).toHaveLength(2)
})

test.each<[string, { [name: string]: string }]>([
  ['no signature', {}],
  ['one by another secret', signed(told, { by: Buffer.from('another') })],
  ['one of another body', signed('{}')],
  ['one of ten minutes ago', signed(told, { at: Date.now() - 600_000 })],
  ['one of ten minutes ahead', signed(told, { at: Date.now() + 600_000 })],
  ['an id that holds the time', { ...signed(told), 'webhook-id': 'msg_1.1' }],
])('with %s nothing is taken', async (_, headers) => {
  await scenario(mill, { when: () => tell(told, headers), status: 401, body: { code: 'integrations.signature_invalid' }, events: [] })
})

test.each(['{', '[]', '{"data":{}}', '{"data":{"email":"no address"}}', '{"data":{"email":"a@b.example","name":"\\u0000"}}'])(
  'what is signed and says nothing (%s) is refused',
  async (body) => {
    const { status } = await scenario(mill, {
      when: () => tell(body, signed(body, { id: 'msg_3' })),
      status: body === '{' ? 400 : 422,
      events: [],
    })
    expect(status).toBeLessThan(500)
  },
)

test('without the setting nothing listens', async () => {
  expect((await tell(told, signed(told), deaf)).status).toBe(404)
})
