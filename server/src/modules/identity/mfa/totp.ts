import { Secret, TOTP } from 'otpauth'

// What every authenticator app understands; many ignore other values in the address and then show wrong codes.
const form = { algorithm: 'SHA1', digits: 6, period: 30 } as const

/** Steps before and after the present one whose codes are taken too, for clocks that differ (RFC 6238, section 5.2). */
const window = 1

/** 160 random bits in base32 (RFC 4226, section 4, R6). */
export const newSecret = (): string => new Secret({ size: 20 }).base32

/** The address that an authenticator app reads from a QR code. */
export const uriOf = (of: { readonly issuer: string; readonly label: string; readonly secret: string }): string =>
  new TOTP({ ...form, ...of }).toString()

/** The 30-second step that the code belongs to, or null when it is none of those around `now` (Unix milliseconds). Compared in constant time. */
export const stepOf = (secret: string, code: string, now: number): number | null => {
  const totp = new TOTP({ ...form, secret })
  const delta = totp.validate({ token: code, timestamp: now, window })
  return delta === null ? null : totp.counter({ timestamp: now }) + delta
}

/** A code as people type it, or null when it cannot be one. */
export const readCode = (text: string): string | null => {
  const digits = text.replaceAll(/[\s-]/g, '')
  return /^\d{6}$/.test(digits) ? digits : null
}

/** After so many wrong codes in a row, and after each further so many, none is looked at for `block_ms`. */
const tries = 10
const block_ms = 3_600_000
/** Then none is looked at any more, until another factor was right or an admin has helped (NIST SP 800-63B-4, section 3.2.2). */
const last_try = 100

export interface Guesses {
  readonly wrong_in_a_row: number
  /** ISO 8601, or null. */
  readonly blocked_until: string | null
}

/**
 * Whether a code may be looked at: null, or until when not (Unix milliseconds; `Infinity`: until something else happens). One guess in
 * 333,333 is right, so a hundred of them, which take ten hours, give one chance in 3,333 to whoever knows the first factor.
 */
export const blockedUntil = ({ wrong_in_a_row, blocked_until }: Guesses, now: number): number | null => {
  if (wrong_in_a_row >= last_try) return Number.POSITIVE_INFINITY
  const until = blocked_until === null ? 0 : Date.parse(blocked_until)
  return until > now ? until : null
}

/** The account after one more wrong code. */
export const afterWrong = ({ wrong_in_a_row }: Guesses, now: number): Guesses => {
  const count = wrong_in_a_row + 1
  return { wrong_in_a_row: count, blocked_until: count % tries === 0 ? new Date(now + block_ms).toISOString() : null }
}
