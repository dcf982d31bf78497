import { generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import { provenDelivery, signWebhook } from './standard-webhooks.ts'

// The example of the specification, as its libraries test it.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const time = '1614265330'
const now = Number(time) * 1_000
const body = Buffer.from('{"test": 2432232314}')
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='

const headers = (given: string, more: { readonly [name: string]: string } = {}) => ({
  'webhook-id': id,
  'webhook-timestamp': time,
  'webhook-signature': given,
  ...more,
})

test('what the specification signs is signed and proven alike, with and without the beginning of the secret', () => {
  expect(signWebhook(secret, id, time, body)).toBe(signature)
  for (const known of [secret, secret.slice('whsec_'.length)]) {
    expect(provenDelivery({ headers: headers(signature), body }, known, { now })).toBe(id)
    expect(provenDelivery({ headers: headers(`v1,other v2,x ${signature}`), body }, known, { now })).toBe(id)
  }
})

test('another body, secret, time or id, and one with a point in it, prove nothing', () => {
  const none = (more: object, of = { body, secret, now }) =>
    expect(provenDelivery({ headers: headers(signature, more as never), body: of.body }, of.secret, { now: of.now })).toBeNull()
  none({}, { body: Buffer.from('{}'), secret, now })
  none({}, { body, secret: `${secret.slice(0, -1)}x`, now })
  none({}, { body, secret, now: now + 301_000 })
  none({ 'webhook-timestamp': `${Number(time) + 1}` })
  none({ 'webhook-id': `${id}.1` })
  none({ 'webhook-signature': '' })
})

test('a public key proves what its private key has signed', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const bytes = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const signed = sign(null, Buffer.from(`${id}.${time}.${body.toString()}`), privateKey).toString('base64')
  const key = `whpk_${bytes.toString('base64')}`
  expect(provenDelivery({ headers: headers(`v1a,${signed}`), body }, key, { now })).toBe(id)
  expect(provenDelivery({ headers: headers(`v1,${signed}`), body }, key, { now })).toBeNull()
})
