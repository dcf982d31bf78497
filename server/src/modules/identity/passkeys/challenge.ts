import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** What a challenge is good for, and for whom: a session, a sign-in that waits; empty where nobody is known yet. */
export interface Ceremony {
  readonly purpose: 'add' | 'sign_in' | 'second_factor' | 'proof'
  readonly binding: string
}

export const challenge_life_ms = 300_000

const random_bytes = 16
const time_bytes = 6
const mac_bytes = 32

const macOf = (key: Buffer, { purpose, binding }: Ceremony, body: Buffer): Buffer =>
  createHmac('sha256', key)
    .update(JSON.stringify([purpose, binding]))
    .update(body)
    .digest()

/**
 * A challenge that vouches for itself: 128 random bits, when it expires, and a HMAC-SHA256 over both and what it is for, in base64url. Nothing is
 * stored when one is given out, so that strangers who ask for many fill no table.
 */
export const makeChallenge = (key: Buffer, ceremony: Ceremony, now: number): string => {
  const body = Buffer.alloc(random_bytes + time_bytes)
  randomBytes(random_bytes).copy(body)
  body.writeUIntBE(now + challenge_life_ms, random_bytes, time_bytes)
  return Buffer.concat([body, macOf(key, ceremony, body)]).toString('base64url')
}

/** Whether the challenge is one of ours, for this ceremony, and not too old. That it is used once is the database's to say. */
export const isChallenge = (key: Buffer, ceremony: Ceremony, challenge: string, now: number): boolean => {
  const bytes = Buffer.from(challenge, 'base64url')
  if (bytes.length !== random_bytes + time_bytes + mac_bytes || bytes.toString('base64url') !== challenge) return false
  const body = bytes.subarray(0, random_bytes + time_bytes)
  if (!timingSafeEqual(bytes.subarray(random_bytes + time_bytes), macOf(key, ceremony, body))) return false
  return body.readUIntBE(random_bytes, time_bytes) > now
}

export const challengeHash = (challenge: string): string => createHash('sha256').update(challenge).digest('base64url')
