import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'

/** A key that signs access tokens, as it is stored (encrypted, by the secrets service). */
export interface SigningKey {
  readonly kid: string
  /** PKCS#8 PEM of an Ed25519 key. */
  readonly private_key: string
  readonly created_at: number
}

/** A public key for `/.well-known/jwks.json` (RFC 7517; RFC 8037 for OKP). */
export interface PublicJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: 'EdDSA'
}

export const makeSigningKey = (kid: string, now: number): SigningKey => ({
  kid,
  private_key: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  created_at: now,
})

export const publicJwk = (key: SigningKey): PublicJwk => {
  const { x } = createPublicKey(createPrivateKey(key.private_key)).export({ format: 'jwk' })
  return { kty: 'OKP', crv: 'Ed25519', x: x as string, kid: key.kid, use: 'sig', alg: 'EdDSA' }
}

export const publicPem = (key: SigningKey): string =>
  createPublicKey(createPrivateKey(key.private_key)).export({ type: 'spki', format: 'pem' }).toString()

/**
 * Adds a key in front, the one that signs from now on. Those behind it still verify, until every token they signed has
 * expired: `retire_after_ms` after a younger one took over.
 */
export const rotated = (keys: readonly SigningKey[], fresh: SigningKey, retire_after_ms: number): readonly SigningKey[] => {
  const all = [fresh, ...keys]
  return all.filter((_, index) => index === 0 || (all[index - 1] as SigningKey).created_at + retire_after_ms > fresh.created_at)
}
