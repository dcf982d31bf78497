import { errors } from '../errors.ts'

export interface Claims {
  readonly [claim: string]: unknown
}

/** What a token says of itself before anybody has checked it; good for choosing the key and nothing else. */
export interface Unchecked {
  readonly alg: unknown
  readonly kid: string | null
  readonly iss: unknown
}

/** Those of large directories name groups; beyond it nobody's are. */
const maxLength = 8_192

export const peek = (token: string): Unchecked | null => {
  if (token.length > maxLength) return null
  const [header, payload, signature, ...rest] = token.split('.')
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) return null
  try {
    const { alg, kid } = parse(header)
    return { alg, kid: typeof kid === 'string' ? kid : null, iss: parse(payload)['iss'] }
  } catch {
    return null
  }
}

const parse = (part: string): Claims => {
  const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  if (typeof value !== 'object' || value === null) throw new TypeError('not an object')
  return value as Claims
}

/** A minute, for an issuer whose clock is ahead. What has ended here has ended. */
const tolerance_s = 60
const types = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt'])
const challenge = { 'www-authenticate': 'Bearer error="invalid_token"' }

/**
 * Checks what a signed token says: that it is an access token, of this issuer (null: of any), for this audience, and of this time (RFC 9068,
 * section 4; RFC 7519). Errors: 401 `auth.token_invalid`, 401 `auth.token_expired`.
 */
export const checkClaims = (
  header: Claims,
  claims: Claims,
  expected: { readonly issuer: string | null; readonly audience: string },
  now_ms: number,
): void => {
  const { iss, aud, exp, nbf, iat } = claims
  const typ = header['typ']
  const type = typeof typ === 'string' ? typ.toLowerCase() : typ
  const now = now_ms / 1000
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  const good =
    types.has(type as string | undefined) &&
    !isOther(claims) &&
    (expected.issuer === null || iss === expected.issuer) &&
    audiences.includes(expected.audience) &&
    typeof exp === 'number' &&
    isPast(nbf, now) &&
    isPast(iat, now)
  if (!good) throw errors.token_invalid({ headers: challenge })
  if (exp <= now) throw errors.token_expired({ headers: challenge })
}

const isPast = (time: unknown, now: number): boolean => time === undefined || (typeof time === 'number' && time <= now + tolerance_s)

/** ID, refresh and logout tokens are signed with the same keys. Their own claims tell them apart, and what Keycloak and Cognito call them. */
const isOther = ({ typ, token_use, at_hash, c_hash, events }: Claims): boolean =>
  (typ !== undefined && typ !== 'Bearer') ||
  (token_use !== undefined && token_use !== 'access') ||
  at_hash !== undefined ||
  c_hash !== undefined ||
  events !== undefined
