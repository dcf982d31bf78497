import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * A key is `mlr_` and 61 characters of base62 (`0-9A-Za-z`): 22 of the key's id, 33 of 192 random bits, 6 of the CRC-32 of those 55. So a
 * scanner finds one in a text with `\bmlr_[0-9A-Za-z]{61}\b` and knows by the checksum that it is none by chance, and the server
 * refuses what was mistyped or made up without asking the database.
 */
const form = /^mlr_[0-9A-Za-z]{61}$/
const prefix = 'mlr_'
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const lengths = { id: 22, secret: 33, checksum: 6 } as const
const secret_bytes = 24

export interface NewKey {
  /** Shown once. */
  readonly text: string
  /** What is kept of it. */
  readonly hash: string
}

/** A key for an id. */
export const newKey = (id: string): NewKey => {
  const body = publicPartOf(id) + base62(BigInt(`0x${randomBytes(secret_bytes).toString('hex')}`), lengths.secret)
  const text = prefix + body + checksumOf(body)
  return { text, hash: keyHash(text).toString('base64url') }
}

/** Whether a bearer token is meant to be an API key. */
export const isMeantAsKey = (text: string): boolean => text.startsWith(prefix)

/** The part of a key that names it and is no secret; null for what is no key. */
export const readKey = (text: string): string | null => {
  if (!form.test(text)) return null
  const end = text.length - lengths.checksum
  const body = text.slice(prefix.length, end)
  return checksumOf(body) === text.slice(end) ? body.slice(0, lengths.id) : null
}

/** SHA-256, which is enough for 192 random bits. */
export const keyHash = (text: string): Buffer => hash('sha256', text, 'buffer')

/** How a key begins: for its owner to tell which one it is. */
export const shownPrefix = (id: string): string => prefix + publicPartOf(id)

export const publicPartOf = (id: string): string => base62(BigInt(`0x${id.replaceAll('-', '')}`), lengths.id)

/** The id that a public part names; null when it names none. */
export const idOf = (public_part: string): string | null => {
  let value = 0n
  for (const digit of public_part) value = value * 62n + BigInt(digits.indexOf(digit))
  const hex = value.toString(16).padStart(32, '0')
  if (hex.length > 32) return null
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const base62 = (value: bigint, length: number): string => {
  let text = ''
  for (let rest = value; rest > 0n; rest /= 62n) text = digits.charAt(Number(rest % 62n)) + text
  return text.padStart(length, '0')
}

const checksumOf = (body: string): string => {
  let text = ''
  for (let rest = crc32(body); text.length < lengths.checksum; rest = Math.floor(rest / 62)) text = digits.charAt(rest % 62) + text
  return text
}
