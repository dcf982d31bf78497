import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** Seconds that the clocks of two sides may differ. */
const tolerance_s = 300
/** Signatures of one call that are looked at; senders that change their secret send two or three. */
const most_signatures = 20

/** Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body; a secret that begins with `whsec_` is base64. */
export const signWebhook = (secret: string, id: string, seconds: number, body: string | Buffer): string => {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : secret
  return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')}`
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

interface Signed {
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly body: Buffer
}

/** The id of a delivery whose sender knows the secret, at about `now` (Unix milliseconds); else null. */
export const provenDelivery = ({ headers, body }: Signed, secret: string, now: number): string | null => {
  const id = headers['webhook-id']
  const time = headers['webhook-timestamp']
  const signatures = headers['webhook-signature']
  if (typeof id !== 'string' || typeof time !== 'string' || typeof signatures !== 'string') return null
  // A point in the id would let its end pass for the time.
  if (!/^[^.\s]{1,300}$/.test(id) || !/^[0-9]{1,12}$/.test(time) || Math.abs(now / 1000 - Number(time)) > tolerance_s) return null
  const expected = digest(signWebhook(secret, id, Number(time), body))
  const given = signatures.split(' ').slice(0, most_signatures)
  return given.map((signature) => timingSafeEqual(digest(signature), expected)).includes(true) ? id : null
}
