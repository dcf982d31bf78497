import { createHmac, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { sameSecret } from './same-secret.ts'

const default_tolerance_s = 300
/** Signatures of one call that are looked at; senders that change their secret send two or three. */
const most_signatures = 20

const without = (text: string, prefix: string): string | null => (text.startsWith(prefix) ? text.slice(prefix.length) : null)

/** `v1,<base64 of HMAC-SHA256>` over `<id>.<seconds>.<body>`, under `whsec_<base64>`; the secret is base64 also without that beginning. */
export const signWebhook = (secret: string, id: string, seconds: number | string, body: string | Buffer): string => {
  const key = Buffer.from(without(secret, 'whsec_') ?? secret, 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')}`
}

/** Of an ed25519 public key: what stands before its 32 bytes in a SubjectPublicKeyInfo (RFC 8410). */
const ed25519_head = Buffer.from('302a300506032b6570032100', 'hex')

const publicKey = (bytes: Buffer): KeyObject | null =>
  bytes.length === 32 ? createPublicKey({ key: Buffer.concat([ed25519_head, bytes]), format: 'der', type: 'spki' }) : null

interface SignedDelivery {
  /** Names in lower case. */
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined }
  readonly body: Buffer
}

/**
 * The id of a delivery whose sender knows the secret, signed at about `now` (Unix milliseconds); else null. Standard Webhooks 1.0.0:
 * `webhook-signature` is a list, separated by spaces, of `v1,<base64 of HMAC-SHA256>` and `v1a,<base64 of ed25519>` over
 * `<webhook-id>.<webhook-timestamp>.<body>`. The secret is `whsec_<base64>`, or `whpk_<base64>`, the sender's public key.
 */
export const provenDelivery = (
  { headers, body }: SignedDelivery,
  secret: string,
  { now, tolerance_s = default_tolerance_s }: { readonly now: number; readonly tolerance_s?: number | undefined },
): string | null => {
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures } = headers
  if (typeof id !== 'string' || typeof time !== 'string' || typeof signatures !== 'string') return null
  // A point in the id would let its end pass for the time.
  if (!/^[^.\s]{1,300}$/.test(id) || !/^[0-9]{1,12}$/.test(time) || Math.abs(now / 1000 - Number(time)) > tolerance_s) return null
  const given = signatures.split(' ').slice(0, most_signatures)
  const encoded = without(secret, 'whpk_')
  if (encoded === null) {
    const expected = signWebhook(secret, id, time, body)
    return given.map((signature) => sameSecret(signature, expected)).includes(true) ? id : null
  }
  const key = publicKey(Buffer.from(encoded, 'base64'))
  if (key === null) return null
  const signed = Buffer.concat([Buffer.from(`${id}.${time}.`), body])
  const isSigned = given.some((signature) => {
    const bytes = Buffer.from(without(signature, 'v1a,') ?? '', 'base64')
    return bytes.length === 64 && verify(null, signed, key, bytes)
  })
  return isSigned ? id : null
}
