import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { isBcrypt, verifyBcrypt } from './bcrypt.ts'

const run = promisify(argon2)

/** Cost of a hash. The values are the second choice of the OWASP password storage cheat sheet: 19 MiB, two passes, one lane. */
interface Cost {
  readonly memory_kib: number
  readonly passes: number
  readonly parallelism: number
}

const cost: Cost = { memory_kib: 19_456, passes: 2, parallelism: 1 }
const saltBytes = 16
const tagBytes = 32

const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')

const encode = (salt: Buffer, tag: Buffer): string =>
  `$argon2id$v=19$m=${cost.memory_kib},t=${cost.passes},p=${cost.parallelism}$${base64(salt)}$${base64(tag)}`

const phc = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/

const decode = (hash: string): (Cost & { readonly salt: Buffer; readonly tag: Buffer }) | null => {
  const match = phc.exec(hash)
  if (match === null) return null
  const [, memory, passes, parallelism, salt, tag] = match as unknown as string[]
  return {
    memory_kib: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt as string, 'base64'),
    tag: Buffer.from(tag as string, 'base64'),
  }
}

/**
 * The bytes that are hashed. NFC only: the same text typed on a Mac and on Windows is the same password, while NFKC would
 * also fold different characters (ﬁ and fi) into one and so make passwords weaker than they were typed. Nothing is cut off.
 */
const messageOf = (password: string): Buffer => Buffer.from(password.normalize('NFC'), 'utf8')

const compute = (password: string, salt: Buffer, tagLength: number, at: Cost): Promise<Buffer> =>
  run('argon2id', {
    message: messageOf(password),
    nonce: salt,
    parallelism: at.parallelism,
    tagLength,
    memory: at.memory_kib,
    passes: at.passes,
  })

/** argon2id in the PHC string format (github.com/P-H-C/phc-string-format), computed on a thread of libuv's pool. */
export const hashPassword = async (password: string): Promise<string> => {
  const salt = randomBytes(saltBytes)
  return encode(salt, await compute(password, salt, tagBytes, cost))
}

/** Against an argon2id PHC string, or a bcrypt hash that was brought along from elsewhere. */
export const verifyPassword = async (password: string, hash: string): Promise<boolean> => {
  const stored = decode(hash)
  if (stored === null && isBcrypt(hash)) return verifyBcrypt(password, hash)
  if (stored === null) throw new Error('A stored password hash is neither an argon2id PHC string nor a bcrypt hash')
  return timingSafeEqual(await compute(password, stored.salt, stored.tag.length, stored), stored.tag)
}

/** What a hash that comes from elsewhere may cost to verify, at most: everybody who signs in meanwhile waits for it. */
const most: Cost = { memory_kib: 131_072, passes: 10, parallelism: 4 }

/** Whether passwords can be verified against a hash that was made elsewhere: argon2id as a PHC string (v=19), or bcrypt up to cost 14. */
export const isVerifiable = (hash: string): boolean => {
  if (isBcrypt(hash)) return true
  const found = decode(hash)
  if (found === null) return false
  const { memory_kib, passes, parallelism, salt, tag } = found
  const affordable = memory_kib <= most.memory_kib && passes <= most.passes && parallelism <= most.parallelism
  // The least that the algorithm takes (RFC 9106, section 3.1).
  const sound = parallelism >= 1 && passes >= 1 && memory_kib >= 8 * parallelism && salt.length >= 8 && tag.length >= 12
  return affordable && sound
}

/** True when `hash` was made by another algorithm than today's or at another cost, so that the next sign-in replaces it. */
export const isOutdated = (hash: string): boolean => {
  const stored = decode(hash)
  return (
    stored === null ||
    stored.memory_kib !== cost.memory_kib ||
    stored.passes !== cost.passes ||
    stored.parallelism !== cost.parallelism ||
    stored.tag.length !== tagBytes
  )
}

/** A hash at today's cost that no password has: verified for accounts that do not exist, so that they take as long. */
export const nobodysHash = (): string => encode(randomBytes(saltBytes), randomBytes(tagBytes))
