import { createSigner, createVerifier } from 'fast-jwt'
import { isUuid } from '../../../lib/id.ts'
import type { SystemRole } from '../../../platform/context.ts'
import { errors } from '../errors.ts'
import { publicJwk, publicPem, type PublicJwk, type SigningKey } from './signing-keys.ts'

/** What an access token says. Times are Unix seconds. */
export interface Claims {
  readonly sub: string
  readonly sid: string
  readonly wid: string
  readonly role: SystemRole
  readonly iat: number
  readonly exp: number
}

export interface AccessTokens {
  /** Signs with the newest key. */
  readonly sign: (claims: Claims) => string
  /** The claims of a good token; null when its key is not one of ours. Throws `auth.token_invalid` or `auth.token_expired`. */
  readonly verify: (token: string, now: number) => Claims | null
  readonly jwks: readonly PublicJwk[]
}

// The keys are this installation's own, so the issuer needs to say no more than who made it; it stays when PUBLIC_URL changes.
const issuer = 'millrace'
/** RFC 9068: keeps any other token that these keys may ever sign from passing as an access token. */
const type = 'at+jwt'

const remembered = 10_000
const maxLength = 2_048

const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' }

/**
 * Access tokens are JWTs signed with Ed25519 (EdDSA, RFC 8037). The algorithm is fixed here and not taken from the token; the token only
 * names which of our own keys to try. A token that was verified is remembered, so its signature is computed once; its expiry is
 * checked each time, by the app's clock.
 */
export const createAccessTokens = (keys: readonly SigningKey[]): AccessTokens => {
  const newest = keys[0]
  if (newest === undefined) throw new Error('There is no key to sign access tokens with')
  const sign = createSigner({
    key: newest.private_key,
    algorithm: 'EdDSA',
    kid: newest.kid,
    iss: issuer,
    aud: issuer,
    header: { alg: 'EdDSA', typ: type },
  })
  const verifiers = new Map(
    keys.map((key) => [
      key.kid,
      createVerifier({
        key: publicPem(key),
        algorithms: ['EdDSA'],
        checkTyp: type,
        allowedIss: issuer,
        allowedAud: issuer,
        requiredClaims: ['sub', 'sid', 'wid', 'role', 'iat', 'exp', 'iss', 'aud'],
        ignoreExpiration: true,
        cache: remembered,
      }),
    ]),
  )
  return {
    sign: (claims) => sign({ ...claims }),
    verify: (token, now) => {
      if (token.length > maxLength) throw errors.token_invalid({ headers: challenge })
      const kid = kidOf(token)
      const verifier = kid === null ? undefined : verifiers.get(kid)
      if (verifier === undefined) {
        if (kid === null) throw errors.token_invalid({ headers: challenge })
        return null
      }
      const claims = check(verifier, token)
      if (claims.exp * 1000 <= now) throw errors.token_expired({ headers: challenge })
      return claims
    },
    jwks: keys.map(publicJwk),
  }
}

const check = (verifier: (token: string) => unknown, token: string): Claims => {
  let claims: Partial<Claims>
  try {
    claims = verifier(token) as Partial<Claims>
  } catch (cause) {
    throw errors.token_invalid({ headers: challenge, cause })
  }
  if (!isUuid(claims.sub) || !isUuid(claims.sid) || !isUuid(claims.wid) || typeof claims.exp !== 'number')
    throw errors.token_invalid({ headers: challenge })
  return claims as Claims
}

/** Which key the token says it was signed with; null for anything that is not a JWT of our form. */
const kidOf = (token: string): string | null => {
  const dot = token.indexOf('.')
  if (dot < 0) return null
  const known = token.slice(0, dot)
  try {
    const header = JSON.parse(Buffer.from(known, 'base64url').toString('utf8')) as { kid?: unknown } | null
    return typeof header?.kid === 'string' ? header.kid : null
  } catch {
    return null
  }
}
