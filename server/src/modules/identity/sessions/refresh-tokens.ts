import { createHash, createHmac, type KeyObject, randomBytes } from 'node:crypto'

/** Recognisable in a leak, and never mistaken for an access token (a JWT) or an API key. */
const prefix = 'mlrr_'
const form = /^mlrr_[A-Za-z0-9_-]{43}$/

export const isRefreshToken = (text: string): boolean => form.test(text)

/** The first token of a session: 256 random bits. */
export const firstRefreshToken = (): string => prefix + randomBytes(32).toString('base64url')

/**
 * The token that follows `token`. It is derived and not random, so that the grace can hand out the very same child without any
 * token being stored: who has the parent but not the installation's key cannot compute it (HMAC-SHA256 as a PRF).
 */
export const childOf = (token: string, key: KeyObject): string => prefix + createHmac('sha256', key).update(token).digest('base64url')

/** What the database keeps of a token. Plain SHA-256 is enough for 256 random bits. */
export const refreshTokenHash = (token: string): string => createHash('sha256').update(token).digest('base64url')

/** What is known of a presented token; times are Unix milliseconds. */
export interface Presented {
  readonly used_at: number | null
  readonly expires_at: number
  readonly child_used: boolean
  readonly session_revoked: boolean
  readonly session_expires_at: number
  readonly user_active: boolean
}

/**
 * - `rotate`: first use; the child is recorded and given out.
 * - `repeat`: used less than `grace_ms` ago; the same child is given out again. Two tabs that refresh at the same moment, or a reply
 *   lost on the way, are not theft. Only the immediately previous token has it, and only while its child is unused.
 * - `reused`: used before; the session ends.
 * - `expired`, `ended`: too late; nothing changes.
 */
export type Rotation = 'rotate' | 'repeat' | 'reused' | 'expired' | 'ended'

export const decideRotation = (token: Presented, now: number, grace_ms: number): Rotation => {
  if (token.session_revoked || !token.user_active) return 'ended'
  const repeatable = token.used_at !== null && !token.child_used && grace_ms > 0 && now - token.used_at < grace_ms
  if (token.used_at !== null && !repeatable) return 'reused'
  if (token.session_expires_at <= now || token.expires_at <= now) return 'expired'
  return repeatable ? 'repeat' : 'rotate'
}

const day = 86_400_000

/** How long a session lives, in milliseconds: without a refresh, and at most. */
export const sessionLife = (remember_me: boolean): { readonly idle_ms: number; readonly absolute_ms: number } => ({
  idle_ms: (remember_me ? 30 : 1) * day,
  absolute_ms: 90 * day,
})
