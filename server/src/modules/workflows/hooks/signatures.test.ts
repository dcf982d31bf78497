import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import type { WebhookAuth } from '../../../engine/nodes/trigger-webhook.ts'
import { isProven, type Signed } from './signatures.ts'

const now = 1_614_265_330_000
const request = (body: string, headers: { readonly [name: string]: string }): Signed => ({ body: Buffer.from(body), headers })
const proves = (auth: WebhookAuth, secret: string, body: string, headers: { readonly [name: string]: string }, at = now): boolean =>
  isProven(auth, request(body, headers), secret, at)

test("GitHub's own example is taken, and nothing beside it", () => {
  const auth: WebhookAuth = { type: 'github' }
  const secret = "It's a Secret to Everybody"
  const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
  expect(proves(auth, secret, 'Hello, World!', { 'x-hub-signature-256': signature })).toBe(true)
  expect(proves(auth, secret, 'Hello, World', { 'x-hub-signature-256': signature })).toBe(false)
  expect(proves(auth, `${secret}!`, 'Hello, World!', { 'x-hub-signature-256': signature })).toBe(false)
  for (const wrong of ['', signature.slice(7), signature.replace('sha256', 'sha1'), `${signature}00`, 'sha256=', 'sha256=zz'])
    expect([wrong, proves(auth, secret, 'Hello, World!', { 'x-hub-signature-256': wrong })]).toEqual([wrong, false])
  expect(proves(auth, secret, 'Hello, World!', {})).toBe(false)
})

const stripeHeader = (secret: string, time: number, body: string): string =>
  `t=${time},v1=${createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')}`

test("Stripe's header may hold several signatures, and must be no older than five minutes", () => {
  const auth: WebhookAuth = { type: 'stripe' }
  const time = now / 1000
  const good = stripeHeader('whsec_new', time, '{}')
  const taken = (header: string, at = now): boolean => proves(auth, 'whsec_new', '{}', { 'stripe-signature': header }, at)
  expect(taken(good)).toBe(true)
  expect(taken(`${stripeHeader('whsec_old', time, '{}')},${good.slice(good.indexOf('v1='))},v0=6ffbb59b`)).toBe(true)
  expect([taken(good, now + 300_000), taken(good, now + 301_000), taken(good, now - 300_000), taken(good, now - 301_000)]).toEqual([
    true,
    false,
    true,
    false,
  ])
  expect(taken(good.replace('v1=', 'v0='))).toBe(false)
  expect(taken(good.replace(`t=${time}`, `t=${time + 1}`))).toBe(false)
  // Two times: which of them was signed?
  expect(taken(`t=${time},${good}`)).toBe(false)
  expect(['', 't=', 'v1=', `t=${time}`, `t=${time},v1=`, good.slice(good.indexOf('v1='))].map((header) => taken(header))).toEqual(
    Array(6).fill(false),
  )
})

const standard: WebhookAuth = { type: 'standard_webhooks' }
const standardHeaders = (signature: string, more: { readonly [name: string]: string } = {}) => ({
  'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  'webhook-timestamp': '1614265330',
  'webhook-signature': signature,
  ...more,
})

test('the example of Standard Webhooks is taken, alone or among others, separated by spaces', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const body = '{"test": 2432232314}'
  const good = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
  const taken = (signature: string, more = {}, at = now): boolean => proves(standard, secret, body, standardHeaders(signature, more), at)
  expect(taken(good)).toBe(true)
  expect(taken(`v1,AAAAM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= ${good} v2,x`)).toBe(true)
  expect(taken(good.replace('v1,', 'v2,'))).toBe(false)
  expect(taken(good.replace(',', ', '))).toBe(false)
  expect(taken(`${good},v1,x`)).toBe(false)
  expect([taken(good, {}, now + 300_000), taken(good, {}, now + 301_000), taken(good, {}, now - 301_000)]).toEqual([true, false, false])
  expect(taken(good, { 'webhook-id': 'msg_another' })).toBe(false)
  expect(taken(good, { 'webhook-timestamp': '1614265331' })).toBe(false)
  expect(taken(good, { 'webhook-timestamp': '1614265330.0' })).toBe(false)
})

test('a point in the id does not let it pass for the time', () => {
  const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')
  const signature = `v1,${createHmac('sha256', key).update('a.1614265330.1614265330.{}').digest('base64')}`
  const headers = standardHeaders(signature, { 'webhook-id': 'a.1614265330' })
  expect(proves(standard, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', '{}', headers)).toBe(false)
})

test('Standard Webhooks by ed25519: the secret is the public key of the sender', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const secret = `whpk_${publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')}`
  const signed = (body: string): string =>
    `v1a,${sign(null, Buffer.from(`msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.${body}`), privateKey).toString('base64')}`
  expect(proves(standard, secret, '{}', standardHeaders(`v1,xx ${signed('{}')}`))).toBe(true)
  expect(proves(standard, secret, '{ }', standardHeaders(signed('{}')))).toBe(false)
  expect(proves(standard, 'whpk_AAAA', '{}', standardHeaders(signed('{}')))).toBe(false)
  // Whoever knows the public key cannot sign with it as if it were a shared secret.
  const forged = createHmac('sha256', Buffer.from(secret.slice(5), 'base64'))
    .update('msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{}')
    .digest('base64')
  expect(proves(standard, secret, '{}', standardHeaders(`v1,${forged}`))).toBe(false)
})

test('a signature of any sender: header, algorithm, encoding and prefix as it says', () => {
  for (const algorithm of ['sha256', 'sha512', 'sha1'] as const) {
    for (const encoding of ['hex', 'base64'] as const) {
      const auth: WebhookAuth = { type: 'hmac', header: 'X-Sig', prefix: 'v0=', algorithm, encoding }
      const signature = createHmac(algorithm, 's').update('body').digest(encoding)
      expect(proves(auth, 's', 'body', { 'x-sig': `v0=${signature}` })).toBe(true)
      expect(proves(auth, 's', 'body', { 'x-sig': signature })).toBe(false)
      expect(proves(auth, 's', 'bodY', { 'x-sig': `v0=${signature}` })).toBe(false)
    }
  }
})

test('a user name with a password, and a header with a secret', () => {
  const basic: WebhookAuth = { type: 'basic', username: 'shop' }
  const authorization = (text: string): { authorization: string } => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
  expect(proves(basic, 'p:ä', '', authorization('shop:p:ä'))).toBe(true)
  for (const wrong of ['shop:p', 'shop:', ':p:ä', 'Shop:p:ä', '']) expect(proves(basic, 'p:ä', '', authorization(wrong))).toBe(false)
  const bearer: WebhookAuth = { type: 'header', header: 'Authorization', prefix: 'Bearer ' }
  expect(proves(bearer, 'token', '', { authorization: 'Bearer token' })).toBe(true)
  expect(proves(bearer, 'token', '', { authorization: 'token' })).toBe(false)
  expect(proves(bearer, 'token', '', {})).toBe(false)
})
