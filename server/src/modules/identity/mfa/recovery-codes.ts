import { createHash, randomBytes } from 'node:crypto'

/** Crockford's base32: nothing in it is mistaken for something else in it. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const length = 20
const form = /^[0-9a-hjkmnp-tv-z]{20}$/
const count = 10

/** Ten codes of 100 random bits: `k3m9x-…`, four groups of five characters. */
export const newCodes = (): string[] => Array.from({ length: count }, newCode)

const newCode = (): string => {
  const characters = Array.from(randomBytes(length), (byte) => alphabet[byte & 31]).join('')
  return (characters.match(/.{5}/g) as string[]).join('-')
}

/** A code as people type it, or null when it cannot be one: dashes and case do not count, and an O is a zero. */
export const readCode = (text: string): string | null => {
  const characters = text.toLowerCase().replaceAll(/[\s-]/g, '').replaceAll('o', '0').replaceAll(/[il]/g, '1')
  return form.test(characters) ? characters : null
}

/**
 * What is stored of a code. One SHA-256 is enough, because slow hashes are for what people make up: at 10¹² guesses a second, 100 random
 * bits last for 20 billion years.
 */
export const hashOf = (user_id: string, code: string): string =>
  createHash('sha256')
    .update(`${user_id}/${readCode(code) ?? ''}`)
    .digest('base64url')
