import { oneLine } from './address.ts'

/** Why a mail was not taken. */
export interface Refusal {
  /** The server will not take this mail, however often it is tried. */
  readonly permanent: boolean
  /** The code of its reply (RFC 5321, section 4.2.3), or null when it did not come to that. */
  readonly reply: number | null
  /** For the admin: what was tried and what the server said. */
  readonly reason: string
  /** What it asked us to wait, in milliseconds; 0 when it did not. */
  readonly wait_ms: number
}

/** Errors about the mail itself: its sender, its recipient, its content. All others are about the server, and may be mended there. */
const aboutTheMail: ReadonlySet<unknown> = new Set(['EENVELOPE', 'EMESSAGE'])

/** Reads what nodemailer throws. A wrong password or certificate is the operator's to mend, and no reason to lose a mail. */
export const refusalOf = (error: unknown): Refusal => {
  const {
    code,
    responseCode,
    response,
    message = '',
  } = error as { code?: unknown; responseCode?: unknown; response?: unknown; message?: string }
  const reply = typeof responseCode === 'number' ? responseCode : null
  const said = typeof response === 'string' ? response : ''
  const permanent = aboutTheMail.has(code) && (reply === null || reply >= 500)
  return { permanent, reply, reason: reasonOf(message, said), wait_ms: permanent ? 0 : askedWait(said) }
}

const reasonOf = (message: string, said: string): string => oneLine(message.includes(said) ? message : `${message}: ${said}`, 500)

const wish = /\b(?:in|after|for|wait)\s+(\d{1,5})\s*(s|sec|secs|second|seconds|m|min|mins|minute|minutes)\b/i
const longest_wait_ms = 4 * 3_600_000

/** SMTP has no field for it; servers that put off strangers say it in words: `451 4.7.1 Greylisted, try again in 300 seconds`. */
const askedWait = (said: string): number => {
  const [, count, unit] = wish.exec(said) ?? []
  if (count === undefined || unit === undefined) return 0
  return Math.min(Number(count) * (unit.toLowerCase().startsWith('m') ? 60_000 : 1_000), longest_wait_ms)
}
