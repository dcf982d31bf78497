import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

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

export const verifyPassword = async (password: string, hash: string): Promise<boolean> => {
  const stored = decode(hash)
  if (stored === null) throw new Error('A stored password hash is not an argon2id PHC string')
  return timingSafeEqual(await compute(password, stored.salt, stored.tag.length, stored), stored.tag)
}

/** Whether `verifyPassword` knows what kind of hash this is. */
export const isVerifiable = (hash: string): boolean => decode(hash) !== null

/** True when `hash` was made at another cost than today's, so that the next sign-in replaces it. */
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
