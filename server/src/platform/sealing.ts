import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'

/** A 256-bit key and the id that sealed values name it by. */
export interface SealingKey {
  readonly id: string
  readonly bytes: Buffer
}

/** The value was sealed under another key or for another context, or it was altered. */
export class SealBroken extends Error {
  constructor() {
    super('The sealed value does not open: it is from another key or another place, or was altered.')
    this.name = 'SealBroken'
  }
}

const nonceBytes = 12
const tagBytes = 16

/** What a tag vouches for besides the text: the key and what the value is for, so that no value can be moved elsewhere. */
const vouchedFor = (key_id: string, context: string): Buffer => Buffer.from(JSON.stringify(['v1', key_id, context]))

/** AES-256-GCM (NIST SP 800-38D): `v1.<key id>.<base64url of nonce, ciphertext, tag>`. */
export const seal = (key: SealingKey, context: string, plain: Uint8Array): string => {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce, { authTagLength: tagBytes })
  cipher.setAAD(vouchedFor(key.id, context))
  const body = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  return `v1.${key.id}.${body.toString('base64url')}`
}

/** Throws `SealBroken` for anything that `seal` did not make with this key and context. */
export const unseal = (key: SealingKey, context: string, sealed: string): Buffer => {
  const [version, key_id, encoded, ...rest] = sealed.split('.')
  const body = Buffer.from(encoded ?? '', 'base64url')
  if (version !== 'v1' || key_id !== key.id || rest.length > 0 || body.length < nonceBytes + tagBytes) throw new SealBroken()
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, body.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(vouchedFor(key.id, context))
  decipher.setAuthTag(body.subarray(-tagBytes))
  try {
    return Buffer.concat([decipher.update(body.subarray(nonceBytes, -tagBytes)), decipher.final()])
  } catch {
    throw new SealBroken()
  }
}

/** The id of the key that sealed a value. */
export const keyIdOf = (sealed: string): string => sealed.split('.')[1] ?? ''

/** A master key is named by what can be computed from it and tells nothing about it. */
export const masterKey = (bytes: Buffer): SealingKey => ({
  id: createHmac('sha256', bytes).update('millrace master key').digest('hex').slice(0, 16),
  bytes,
})
