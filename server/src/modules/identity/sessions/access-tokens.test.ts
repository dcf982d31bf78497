import { createHmac, createPublicKey, sign as signBytes, createPrivateKey, verify as verifyBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createAccessTokens, type Claims } from './access-tokens.ts'
import { makeSigningKey, publicPem, rotated } from './signing-keys.ts'

const now = Date.UTC(2026, 10, 20)
const id = (n: number): string => `01900000-0000-7000-8000-00000000000${n}`
const claims: Claims = { sub: id(1), sid: id(2), wid: id(3), role: 'user', iat: now / 1000, exp: now / 1000 + 3600 }
const key = makeSigningKey('one', now)
const tokens = createAccessTokens([key])

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const payload = { ...claims, iss: 'millrace', aud: 'millrace' }
const forge = (header: object, body: object, pem = key.private_key): string => {
  const input = `${part(header)}.${part(body)}`
  return `${input}.${signBytes(null, Buffer.from(input), createPrivateKey(pem)).toString('base64url')}`
}

test('a token says who, in which session and workspace, and until when', () => {
  expect(tokens.verify(tokens.sign(claims), now)).toMatchObject(claims)
})

test('an expired token is refused also when its signature was verified before', () => {
  const token = tokens.sign(claims)
  expect(tokens.verify(token, now)).not.toBe(null)
  expect(() => tokens.verify(token, now + 3600_000)).toThrow(expect.objectContaining({ code: 'auth.token_expired' }))
})

test.each([
  ['no signature', `${part({ alg: 'none', typ: 'at+jwt', kid: 'one' })}.${part(payload)}.`],
  ['another type', forge({ alg: 'EdDSA', typ: 'JWT', kid: 'one' }, payload)],
  ['no type', forge({ alg: 'EdDSA', kid: 'one' }, payload)],
  ['another issuer', forge({ alg: 'EdDSA', typ: 'at+jwt', kid: 'one' }, { ...payload, iss: 'else' })],
  ['another audience', forge({ alg: 'EdDSA', typ: 'at+jwt', kid: 'one' }, { ...payload, aud: 'else' })],
  ['no session', forge({ alg: 'EdDSA', typ: 'at+jwt', kid: 'one' }, { ...payload, sid: undefined })],
  ['a subject that is no id', forge({ alg: 'EdDSA', typ: 'at+jwt', kid: 'one' }, { ...payload, sub: "' or 1=1" })],
  ['an expiry that is no time', forge({ alg: 'EdDSA', typ: 'at+jwt', kid: 'one' }, { ...payload, exp: 'never' })],
  ["somebody else's key", forge({ alg: 'EdDSA', typ: 'at+jwt', kid: 'one' }, payload, makeSigningKey('one', now).private_key)],
  ['no key id', forge({ alg: 'EdDSA', typ: 'at+jwt' }, payload)],
  ['a refresh token', `mlrr_${'a'.repeat(43)}`],
  ['nothing', ''],
  ['rubbish', 'a.b.c'],
  ['far too long a text', `${part({ kid: 'one' })}.${'a'.repeat(100_000)}.a`],
  ['JSON that is not an object', `${part(null)}.${part(payload)}.a`],
])('%s is not a token', (_, token) => {
  expect(() => tokens.verify(token, now)).toThrow(expect.objectContaining({ code: 'auth.token_invalid' }))
})

test('the public key does not pass as a shared secret', () => {
  const input = `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'one' })}.${part(payload)}`
  for (const secret of [publicPem(key), publicPem(key).trim()]) {
    const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    expect(() => tokens.verify(token, now)).toThrow(expect.objectContaining({ code: 'auth.token_invalid' }))
  }
})

test('a key id that we do not have is left to whoever can look for it', () => {
  const token = createAccessTokens([makeSigningKey('two', now)]).sign(claims)
  expect(tokens.verify(token, now)).toBe(null)
})

test('after a rotation the newest key signs, and the older ones verify until their tokens have expired', () => {
  const second = makeSigningKey('two', now + 1000)
  const keys = rotated([key], second, 3600_000)
  expect(keys.map(({ kid }) => kid)).toEqual(['two', 'one'])
  const both = createAccessTokens(keys)
  expect(both.verify(tokens.sign(claims), now)).toMatchObject(claims)
  expect(JSON.parse(Buffer.from(both.sign(claims).split('.')[0] as string, 'base64url').toString())).toEqual({
    alg: 'EdDSA',
    typ: 'at+jwt',
    kid: 'two',
  })
  const third = makeSigningKey('three', now + 1000 + 3600_000)
  expect(rotated(keys, third, 3600_000).map(({ kid }) => kid)).toEqual(['three', 'two'])
})

test('what the key set publishes verifies our tokens, and holds no private part', () => {
  const [jwk] = tokens.jwks
  expect(Object.keys(jwk ?? {}).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  const [header, body, signature] = tokens.sign(claims).split('.') as [string, string, string]
  const published = createPublicKey({ key: { ...jwk }, format: 'jwk' })
  expect(verifyBytes(null, Buffer.from(`${header}.${body}`), published, Buffer.from(signature, 'base64url'))).toBe(true)
})
