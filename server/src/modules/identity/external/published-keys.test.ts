import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { issuersOf } from './issuers.ts'
import { readKeys } from './published-keys.ts'

const rsa = (bits: number): JsonWebKey => generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' })
const ec = (curve: string): JsonWebKey => generateKeyPairSync('ec', { namedCurve: curve }).publicKey.export({ format: 'jwk' })
const ed25519 = generateKeyPairSync('ed25519')

test.each<[string, object, readonly string[]]>([
  ['an RSA key', rsa(2_048), ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
  ['an RSA key that names its algorithm', { ...rsa(2_048), alg: 'PS256' }, ['PS256']],
  ['a P-256 key', ec('prime256v1'), ['ES256']],
  ['a P-384 key', ec('secp384r1'), ['ES384']],
  ['a P-521 key', ec('secp521r1'), ['ES512']],
  ['an Ed25519 key', ed25519.publicKey.export({ format: 'jwk' }), ['EdDSA']],
  ['a private key, as its public half', ed25519.privateKey.export({ format: 'jwk' }), ['EdDSA']],
])('%s checks tokens of its own algorithms', (_what, jwk, algorithms) => {
  expect(readKeys({ keys: [{ ...jwk, kid: 'a', use: 'sig' }] })).toMatchObject([{ kid: 'a', algorithms }])
})

test.each<[string, object]>([
  ['a secret', { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), alg: 'HS256' }],
  ['an RSA key for HMAC', { ...rsa(2_048), alg: 'HS256' }],
  ['an RSA key for nothing', { ...rsa(2_048), alg: 'none' }],
  ['an RSA key for encryption', { ...rsa(2_048), use: 'enc' }],
  ['a short RSA key', rsa(1_024)],
  ['a key on another curve', ec('secp256k1')],
  ['a curve named after a method', { kty: 'EC', crv: 'constructor', x: 'AA', y: 'AA' }],
  ['a key that is broken', { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }],
  ['a key without a kind', { kid: 'a' }],
])('%s is left out', (_what, jwk) => {
  expect(readKeys({ keys: [jwk, null, 7, 'key'] })).toEqual([])
})

test.each([null, 7, [], {}, { keys: 'x' }])('%j is no set of keys', (set) => {
  expect(() => readKeys(set)).toThrow('no JWK Set')
})

const nothing = {
  supabase_jwt_secret: null,
  supabase_url: null,
  external_jwks_url: null,
  external_issuer: null,
  external_audience: null,
}

test.each<[string, object, RegExp]>([
  ['a short secret', { supabase_jwt_secret: 'x'.repeat(31) }, /SUPABASE_JWT_SECRET has fewer than 32/],
  ['a project without its secret', { supabase_url: 'https://abc.supabase.co' }, /without SUPABASE_JWT_SECRET/],
  ['keys without an issuer', { external_jwks_url: 'https://a.example/jwks', external_audience: 'b' }, /belong together/],
  ['keys without an audience', { external_jwks_url: 'https://a.example/jwks', external_issuer: 'b' }, /belong together/],
  ['an issuer without keys', { external_issuer: 'a', external_audience: 'b' }, /belong together/],
  ['keys over http', { external_jwks_url: 'http://a.example/jwks', external_issuer: 'a', external_audience: 'b' }, /https/],
])('%s is told at the start', (_what, values, message) => {
  expect(() => issuersOf({ ...nothing, ...values })).toThrow(message)
})
