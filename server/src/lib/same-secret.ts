import { createHash, timingSafeEqual } from 'node:crypto'

const digest = (text: string | Buffer): Buffer => createHash('sha256').update(text).digest()

/** Whether two texts are one. Digests have one length, so neither it nor the place of the first difference shows in the time. */
export const sameSecret = (a: string | Buffer, b: string | Buffer): boolean => timingSafeEqual(digest(a), digest(b))
