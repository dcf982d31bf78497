import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { createVerifier } from 'fast-jwt'
import type { Claims } from './token.ts'

/** Checks the signature of a token and nothing else; throws when it is not good. */
export type Verify = (token: string) => { readonly header: Claims; readonly payload: Claims }

export interface PublishedKey {
  readonly kid: string | null
  readonly algorithms: readonly string[]
  readonly verify: Verify
}

const remembered = 5_000
const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
const byCurve = { 'P-256': ['ES256'], 'P-384': ['ES384'], 'P-521': ['ES512'], Ed25519: ['EdDSA'] } as const
const leastRsaBits = 2_048
const most = 100

type Algorithm = (typeof rsa)[number] | (typeof byCurve)[keyof typeof byCurve][number]

/**
 * The keys of a JWK Set (RFC 7517) that can check an access token: public ones for signatures, by algorithms of theirs alone. Others are left
 * out: secrets, whose holder could sign as well, keys for encryption, and RSA keys below 2,048 bits.
 */
export const readKeys = (set: unknown): readonly PublishedKey[] => {
  const keys = (set as { readonly keys?: unknown } | null)?.keys
  if (!Array.isArray(keys)) throw new TypeError('The answer is no JWK Set.')
  return keys.slice(0, most).flatMap((jwk: unknown) => {
    const key = typeof jwk === 'object' && jwk !== null ? readKey(jwk as Claims) : null
    return key === null ? [] : [key]
  })
}

const readKey = (jwk: Claims): PublishedKey | null => {
  const algorithms = algorithmsOf(jwk)
  if (algorithms.length === 0 || (jwk['use'] !== undefined && jwk['use'] !== 'sig')) return null
  try {
    const { kty, n, e, crv, x, y } = jwk
    const key = createPublicKey({ key: { kty, n, e, crv, x, y } as JsonWebKey, format: 'jwk' })
    if ((key.asymmetricKeyDetails?.modulusLength ?? leastRsaBits) < leastRsaBits) return null
    const pem = key.export({ type: 'spki', format: 'pem' }).toString()
    const kid = typeof jwk['kid'] === 'string' ? jwk['kid'] : null
    return { kid, algorithms, verify: verifier(pem, algorithms) }
  } catch {
    // One that cannot be read checks nothing; the others are good all the same.
    return null
  }
}

const algorithmsOf = ({ kty, crv, alg }: Claims): readonly Algorithm[] => {
  const fitting: readonly Algorithm[] =
    kty === 'RSA'
      ? rsa
      : (kty === 'EC' || kty === 'OKP') && typeof crv === 'string' && Object.hasOwn(byCurve, crv)
        ? byCurve[crv as keyof typeof byCurve]
        : []
  return alg === undefined ? fitting : fitting.filter((each) => each === alg)
}

const verifier = (key: string, algorithms: readonly Algorithm[]): Verify =>
  createVerifier({
    key,
    algorithms: [...algorithms],
    complete: true,
    ignoreExpiration: true,
    ignoreNotBefore: true,
    cache: remembered,
  }) as Verify

/** The same for a secret that both sides know. */
export const secretVerifier = (secret: string): Verify =>
  createVerifier({
    key: secret,
    algorithms: ['HS256'],
    complete: true,
    ignoreExpiration: true,
    ignoreNotBefore: true,
    cache: remembered,
  }) as Verify
